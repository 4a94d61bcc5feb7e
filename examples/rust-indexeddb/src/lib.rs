//! Notes in IndexedDB, from Rust alone, in the page itself.

use std::cell::RefCell;
use std::rc::Rc;

use nidus_wasm::browser::IdbFiles;
use nidus_wasm::{Batch, OpenOptions, Query, Result, Store, Value, code_of};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Element, Event, HtmlFormElement, HtmlInputElement};

const DIMENSION: usize = 128;

/// A real page takes its vectors from an embedding model. This one counts groups of three letters, so that it needs no
/// model.
fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSION];
    let letters: Vec<u32> = format!(" {} ", text.to_lowercase()).chars().map(u32::from).collect();
    for three in letters.windows(3) {
        let hash = three.iter().fold(7u32, |hash, letter| hash.wrapping_mul(31).wrapping_add(*letter));
        vector[hash as usize % DIMENSION] += 1.0;
    }
    vector
}

struct Notes {
    files: IdbFiles,
    store: Store,
}

impl Notes {
    async fn open(name: &str) -> Result<Notes> {
        let files = IdbFiles::open(name).await?;
        let options = OpenOptions { dimension: Some(DIMENSION), ..Default::default() };
        let store = files.store(options).await?;
        Ok(Notes { files, store })
    }

    /// Adds a note. It is on the disk once this is ready.
    async fn add(&mut self, id: &str, text: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.push(id, &[("text", text.into())]);
        self.store.stage_upsert("notes", 1, batch.bytes(), &embed(text))?;
        self.files.commit_store(&mut self.store).await?;
        if self.store.dead_ratio() > 0.5 {
            self.files.compact(&mut self.store).await?;
        }
        Ok(())
    }

    /// Returns the notes that are most like the question.
    fn search(&self, question: &str) -> Result<Vec<String>> {
        let hits = self.store.search(&embed(question), &Query { top_k: 5, ..Default::default() })?;
        let text = |value: Option<&Value>| if let Some(Value::Str(text)) = value { text.clone() } else { String::new() };
        Ok(hits.iter().map(|hit| text(hit.attrs.get("text"))).collect())
    }
}

struct Page {
    document: Document,
    form: HtmlFormElement,
    note: HtmlInputElement,
    question: HtmlInputElement,
    list: Element,
    output: Element,
    /// Nothing, while a note is being written.
    notes: RefCell<Option<Notes>>,
}

impl Page {
    fn find() -> Option<Page> {
        let document = web_sys::window()?.document()?;
        let find = |what: &str| document.query_selector(what).ok().flatten();
        Some(Page {
            form: find("form")?.dyn_into().ok()?,
            note: find("[name=text]")?.dyn_into().ok()?,
            question: find("[type=search]")?.dyn_into().ok()?,
            list: find("ol")?,
            output: find("output")?,
            document,
            notes: RefCell::default(),
        })
    }

    fn show(&self) -> Result<()> {
        let notes = self.notes.borrow();
        let Some(notes) = &*notes else { return Ok(()) };
        self.list.set_text_content(None);
        for text in notes.search(&self.question.value())? {
            if let Ok(item) = self.document.create_element("li") {
                item.set_text_content(Some(&text));
                let _ = self.list.append_child(&item);
            }
        }
        let count = notes.store.count(Some("notes"), &Default::default())?;
        self.output.set_text_content(Some(&format!("{count} notes")));
        Ok(())
    }

    async fn add(&self) -> Result<()> {
        let Some(mut notes) = self.notes.take() else { return Ok(()) };
        let id = format!("{}-{}", js_sys::Date::now(), js_sys::Math::random());
        let added = notes.add(&id, &self.note.value()).await;
        *self.notes.borrow_mut() = Some(notes);
        added?;
        self.form.reset();
        self.show()
    }

    fn say(&self, result: Result<()>) {
        if let Err(error) = result {
            self.output.set_text_content(Some(&format!("{}: {error:#}", code_of(&error).name())));
        }
    }
}

/// Calls `then` for each event of an element, for as long as the page lives.
fn on(element: &Element, event: &str, then: impl FnMut(Event) + 'static) {
    let closure: Closure<dyn FnMut(Event)> = Closure::new(then);
    let _ = element.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref());
    closure.forget();
}

#[wasm_bindgen(start)]
pub fn start() {
    let Some(page) = Page::find().map(Rc::new) else { return };
    let this = page.clone();
    on(&page.form, "submit", move |event| {
        event.prevent_default();
        let page = this.clone();
        spawn_local(async move { page.say(page.add().await) });
    });
    let this = page.clone();
    on(&page.question, "input", move |_| this.say(this.show()));
    spawn_local(async move {
        let opened = Notes::open("rust-notes").await;
        page.say(opened.and_then(|notes| {
            *page.notes.borrow_mut() = Some(notes);
            page.show()
        }));
    });
}
