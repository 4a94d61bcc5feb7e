//! Native's lock and ours in one directory: if one has it, the other is refused. Ours is the real one, in a process of
//! Node.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, SystemTime};

use nidus::{Config, Nidus};

const DIMENSION: usize = 4;

/// A process that runs pkg-tests/kill/racer.mjs. It answers each line with a line.
struct Ours {
    child: Child,
    to: ChildStdin,
    from: BufReader<std::process::ChildStdout>,
}

impl Ours {
    /// Returns None if there is no Node or the package was not built.
    fn start() -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        if !root.join("dist/node.js").exists() {
            println!("SKIPPED: the package is not built");
            return None;
        }
        let mut command = Command::new("node");
        command.arg(root.join("pkg-tests/kill/racer.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            println!("SKIPPED: there is no node");
            return None;
        };
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut ours = Self { child, to, from };
        assert_eq!(ours.hear(), "ready");
        Some(ours)
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    fn ask(&mut self, what: &str) -> String {
        writeln!(self.to, "{what}").unwrap();
        self.hear()
    }

    fn open(&mut self, dir: &Path) -> String {
        self.ask(&format!("open\t{}", dir.display()))
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn native(dir: &Path) -> nidus::Result<Nidus> {
    Nidus::open(Config::new(dir, DIMENSION))
}

fn refused(dir: &Path) {
    let error = native(dir).err().expect("native must be refused").to_string();
    assert!(error.contains("locked"), "{error}");
}

#[test]
fn native_is_refused_while_we_hold_the_lock_even_if_our_event_loop_is_blocked_for_minutes() {
    let Some(mut ours) = Ours::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("lock");
    assert_eq!(ours.open(dir.path()), "got");
    refused(dir.path());
    assert_eq!(ours.ask("block\t600"), "blocking");
    refused(dir.path());
    // The lock looks as if it was not renewed for nine minutes. Native looks only at its time.
    let ahead = |seconds| SystemTime::now() + Duration::from_secs(seconds);
    assert!(lock.metadata().unwrap().modified().unwrap() > ahead(540));
    File::options().write(true).open(&lock).unwrap().set_modified(ahead(60)).unwrap();
    refused(dir.path());
    assert_eq!(ours.hear(), "unblocked");
    assert_eq!(ours.ask("check"), "still");
    assert_eq!(ours.ask("close"), "closed");
    let mut native = native(dir.path()).unwrap();
    assert!(native.get_all("c").iter().any(|record| record.id == "later" && record.vector == [0.0, 1.0, 0.0, 0.0]));
    native.delete("c", &["later"]).unwrap();
}

#[test]
fn we_are_refused_while_native_holds_the_lock_however_old_it_is() {
    let Some(mut ours) = Ours::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let held = native(dir.path()).unwrap();
    assert!(ours.open(dir.path()).starts_with("LOCKED "));
    // Native never renews its own lock: after a minute another native would take it over. We do not, because its owner
    // may be alive.
    File::options().write(true).open(dir.path().join("lock")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(ours.open(dir.path()).starts_with("LOCKED "));
    drop(held);
    assert_eq!(ours.open(dir.path()), "got");
    assert_eq!(ours.ask("close"), "closed");
}

#[test]
fn a_store_that_slept_until_native_took_its_lock_writes_no_more() {
    let Some(mut ours) = Ours::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ours.open(dir.path()), "got");
    File::options()
        .write(true)
        .open(dir.path().join("lock"))
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(61))
        .unwrap();
    let held = native(dir.path()).unwrap();
    let before = crate::pair::files(dir.path());
    assert!(ours.ask("check").starts_with("FAILED "));
    assert_eq!(ours.ask("close"), "closed");
    assert!(crate::pair::files(dir.path()) == before);
    refused(dir.path());
    drop(held);
}
