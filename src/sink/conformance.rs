//! The tests that every sink must pass. Their numbers are those of the contract of [`ByteSink`].

use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{ByteSink, ByteSource};
use crate::Result;
use crate::error::{Code, error, fail};

fn ensure(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(error(Code::StorageFailed, format!("conformance: {what}"))) }
}

/// Where the sinks to be checked are, if it takes a future to open one, to read from it or to make it durable.
pub trait Place {
    /// The sink that is checked.
    type Sink: ByteSink;

    /// Returns a sink over the same bytes each time. They are empty at first. The sink before it is gone.
    fn open(&mut self) -> impl Future<Output = Result<Self::Sink>>;

    /// Fills all of `out` with the bytes from `at` on, or fails.
    fn read(&mut self, sink: &mut Self::Sink, at: u64, out: &mut [u8]) -> impl Future<Output = Result<()>>;

    /// Makes durable what was flushed, if `flush` cannot do it alone.
    fn commit(&mut self) -> impl Future<Output = Result<()>> {
        ready(Ok(()))
    }
}

async fn contents<P: Place>(place: &mut P, sink: &mut P::Sink) -> Result<Vec<u8>> {
    let mut all = vec![0; usize::try_from(sink.len()?)?];
    place.read(sink, 0, &mut all).await?;
    Ok(all)
}

async fn flush<P: Place>(place: &mut P, sink: &mut P::Sink) -> Result<()> {
    sink.flush()?;
    place.commit().await
}

/// Checks the contract on the sinks of a place.
pub async fn check_place(place: &mut impl Place) -> Result<()> {
    let mut sink = place.open().await?;
    ensure(sink.len()? == 0, "1: a new sink is empty")?;
    sink.append(b"")?;
    sink.truncate_to(0)?;
    flush(place, &mut sink).await?;
    flush(place, &mut sink).await?;
    ensure(sink.len()? == 0, "7: nothing appended, nothing there")?;

    let mut expected = Vec::new();
    for (n, size) in [1usize, 3, 511, 512, 513, 4096, 70_000].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + n * 7) as u8).collect();
        sink.append(&bytes)?;
        expected.extend_from_slice(&bytes);
        ensure(sink.len()? == expected.len() as u64, "1: len counts what was appended")?;
        if n % 2 == 1 {
            flush(place, &mut sink).await?;
        }
    }
    ensure(contents(place, &mut sink).await? == expected, "2: append writes at the end")?;

    let last = expected.len() as u64 - 4;
    for (n, at) in [0u64, 1, 510, 4000, last - 69_998, last].into_iter().enumerate() {
        sink.publish(at, [9, 8, 7, at as u8])?;
        expected[at as usize..at as usize + 4].copy_from_slice(&[9, 8, 7, at as u8]);
        if n % 2 == 1 {
            ensure(contents(place, &mut sink).await? == expected, "4: what is published is read at once")?;
            flush(place, &mut sink).await?;
        }
    }
    ensure(contents(place, &mut sink).await? == expected, "4: publish changes 4 bytes")?;
    let end = expected.len() as u64;
    for at in [end, end - 3, u64::MAX - 1] {
        ensure(sink.publish(at, [0; 4]).is_err(), "4: publish stays before len")?;
    }
    ensure(contents(place, &mut sink).await? == expected, "4: a refused publish changes nothing")?;

    ensure(sink.truncate_to(end + 1).is_err(), "5: truncate never grows")?;
    ensure(sink.len()? == end, "5: a refused truncate changes nothing")?;
    sink.truncate_to(end)?;
    for (n, len) in [60_000u64, 5000, 513, 512, 2].into_iter().enumerate() {
        sink.truncate_to(len)?;
        expected.truncate(len as usize);
        ensure(contents(place, &mut sink).await? == expected, "5: truncate keeps what is before")?;
        if n % 2 == 1 {
            flush(place, &mut sink).await?;
        }
    }
    sink.append(b"after a cut")?;
    expected.extend_from_slice(b"after a cut");
    flush(place, &mut sink).await?;
    drop(sink);

    let mut sink = place.open().await?;
    ensure(sink.len()? == expected.len() as u64, "1: len counts what was there at opening")?;
    ensure(contents(place, &mut sink).await? == expected, "6: flushed bytes are there")?;
    sink.append(b", and more")?;
    expected.extend_from_slice(b", and more");
    ensure(contents(place, &mut sink).await? == expected, "2: append goes on at the end after opening")?;
    let past = place.read(&mut sink, expected.len() as u64 - 1, &mut [0; 2]).await;
    ensure(past.is_err(), "a read past the end fails")?;
    sink.truncate_to(0)?;
    flush(place, &mut sink).await?;
    ensure(sink.len()? == 0, "5: truncate to nothing")
}

/// A place whose futures are ready at once.
struct Synchronous<F>(F);

impl<S: ByteSink + ByteSource, F: FnMut() -> Result<S>> Place for Synchronous<F> {
    type Sink = S;

    fn open(&mut self) -> impl Future<Output = Result<S>> {
        ready((self.0)())
    }

    fn read(&mut self, sink: &mut S, at: u64, out: &mut [u8]) -> impl Future<Output = Result<()>> {
        ready(sink.read_exact_at(at, out))
    }
}

/// Checks the contract on the sinks that `open` returns. `open` is called several times. It must return a sink over the
/// *same* bytes each time, and those are empty at first.
pub fn check<S: ByteSink + ByteSource>(open: impl FnMut() -> Result<S>) -> Result<()> {
    let mut place = Synchronous(open);
    match pin!(check_place(&mut place)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(checked) => checked,
        Poll::Pending => fail!(Failed, "conformance: a synchronous sink was waited for"),
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::super::fault::{Fault, FaultSink, Faults};
    use super::super::{FileSink, MemorySink};
    use super::*;

    #[test]
    fn memory_conforms() {
        let shared = MemorySink::new();
        check(|| Ok(shared.clone())).unwrap();
    }

    #[test]
    fn file_conforms() {
        let dir = tempfile::tempdir().unwrap();
        check(|| FileSink::open(dir.path().join("sink"))).unwrap();
    }

    #[test]
    fn fault_without_faults_conforms() {
        let shared = MemorySink::new();
        let names = ["append", "publish", "truncate", "flush"];
        check(|| Ok(FaultSink::new(shared.clone(), &Faults::new(), names))).unwrap();
    }

    #[test]
    fn failed_append_leaves_len_and_truncate_removes_the_rest() {
        let faults = Faults::new();
        let mut sink = FaultSink::new(MemorySink::new(), &faults, ["append", "publish", "truncate", "flush"]);
        sink.append(b"kept").unwrap();
        faults.fail_at(0, Fault::Short(2));
        assert!(sink.append(b"lost").is_err());
        assert_eq!(ByteSink::len(&sink).unwrap(), 4);
        assert_eq!(sink.inner.to_vec(), b"keptlo");
        sink.truncate_to(4).unwrap();
        assert_eq!(sink.inner.to_vec(), b"kept");
    }

    #[test]
    fn the_suite_can_fail() {
        struct Growing(MemorySink);
        impl ByteSink for Growing {
            fn len(&self) -> Result<u64> {
                ByteSink::len(&self.0)
            }
            fn append(&mut self, bytes: &[u8]) -> Result<()> {
                self.0.append(bytes)
            }
            fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
                self.0.publish(at, length)
            }
            fn truncate_to(&mut self, len: u64) -> Result<()> {
                while ByteSink::len(&self.0)? < len {
                    self.0.append(&[0])?;
                }
                self.0.truncate_to(len)
            }
            fn flush(&mut self) -> Result<()> {
                Ok(())
            }
        }
        impl ByteSource for Growing {
            fn len(&self) -> Result<u64> {
                ByteSink::len(&self.0)
            }
            fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
                self.0.read_exact_at(at, out)
            }
        }
        let shared = MemorySink::new();
        let error = check(|| Ok(Growing(shared.clone()))).unwrap_err();
        assert!(error.to_string().contains("5: truncate never grows"), "{error}");
    }
}
