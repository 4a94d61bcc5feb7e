//! The interface of keyword search for JavaScript. It is built as a wasm of its own. `src/ts/text/text-core.d.ts` is
//! the same interface in TypeScript.

use js_sys::{Error as JsError, Float64Array, Reflect, Uint8Array, Uint16Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::index::{Loading, Origin, SLICE, Saving, TextIndex};
use super::search::{ABSENT, Fuzzy, Options, Question, Scored, Statistics, ceiling};
use super::words::places::places;
use crate::error::{Error, code_of, error, reserve};
use crate::segment::op::{Bad, Reader, ValueRef};
use crate::{Code, Result};

/// The most matches of a text that are shown.
const MATCHES: usize = 1_000;

fn to_js(error: Error) -> JsValue {
    let js = JsError::new(&format!("{error:#}"));
    // Setting a property of a new object cannot fail.
    let _ = Reflect::set(&js, &"code".into(), &code_of(&error).name().into());
    js.into()
}

fn malformed(_: Bad) -> Error {
    error(Code::InvalidArgument, "the documents are malformed")
}

/// The index of one collection's texts.
#[wasm_bindgen(js_name = TextIndex)]
pub struct JsIndex {
    index: TextIndex,
    collection: String,
    fields: Vec<String>,
}

#[wasm_bindgen(js_class = TextIndex)]
impl JsIndex {
    #[wasm_bindgen(constructor)]
    pub fn new(collection: String, count: u32, fields: &[u8]) -> std::result::Result<JsIndex, JsValue> {
        Self::with(TextIndex::new(count as usize).map_err(to_js)?, collection, fields).map_err(to_js)
    }

    fn with(index: TextIndex, collection: String, fields: &[u8]) -> Result<JsIndex> {
        let mut names = Reader::new(fields);
        let mut fields = Vec::new();
        for _ in 0..index.fields() {
            fields.push(names.str().map_err(malformed)?.to_string());
        }
        Ok(JsIndex { index, collection, fields })
    }

    /// Reads one document from `wire` for each number in `docs`, and gives the index its texts. A document that does
    /// not exist, or has no text in the fields, is removed from the index. Fails with INVALID_ARGUMENT if `wire` is
    /// malformed.
    pub fn put(&mut self, docs: &[u32], wire: &[u8]) -> std::result::Result<(), JsValue> {
        self.put_all(docs, wire).map_err(to_js)
    }

    fn put_all(&mut self, docs: &[u32], wire: &[u8]) -> Result<()> {
        let mut reader = Reader::new(wire);
        let mut texts: Vec<Vec<&str>> = self.fields.iter().map(|_| Vec::new()).collect();
        for doc in docs {
            texts.iter_mut().for_each(Vec::clear);
            if reader.u8().map_err(malformed)? == 1 {
                let here = reader.str().map_err(malformed)? == self.collection;
                reader.str().map_err(malformed)?;
                self.read_texts(&mut reader, here, &mut texts).map_err(malformed)?;
            }
            if texts.iter().all(|strings| strings.is_empty()) {
                self.index.remove(*doc)?;
            } else {
                let fields: Vec<&[&str]> = texts.iter().map(Vec::as_slice).collect();
                self.index.put(*doc, &fields)?;
            }
        }
        Ok(())
    }

    /// Reads the attributes of a document, and puts the texts of the index's fields into `texts`. If `here` is false,
    /// the document is of another collection, and its texts are left out.
    fn read_texts<'a>(
        &self,
        reader: &mut Reader<'a>,
        here: bool,
        texts: &mut [Vec<&'a str>],
    ) -> std::result::Result<(), Bad> {
        for _ in 0..reader.count(12)? {
            let key = reader.str()?;
            let value = reader.value()?;
            let Some(field) = self.fields.iter().position(|name| here && name == key) else { continue };
            match value {
                ValueRef::Str(text) => texts[field].push(text),
                ValueRef::List(list) => {
                    let mut list = Reader::new(list);
                    for _ in 0..list.count(8)? {
                        texts[field].push(list.str()?);
                    }
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Does some of the work that waits. Returns true if nothing is left.
    pub fn step(&mut self) -> std::result::Result<bool, JsValue> {
        self.index.step(SLICE).map(|more| !more).map_err(to_js)
    }

    #[wasm_bindgen(getter)]
    pub fn documents(&self) -> u32 {
        self.index.documents() as u32
    }

    #[wasm_bindgen(getter)]
    pub fn terms(&self) -> u32 {
        self.index.terms() as u32
    }

    #[wasm_bindgen(getter)]
    pub fn bytes(&self) -> f64 {
        self.index.bytes() as f64
    }

    /// Begins to write the index to a file, as it is now.
    pub fn save(&mut self, position: f64, checksum: u32) -> std::result::Result<JsSaving, JsValue> {
        let origin = Origin { position: position as u64, checksum, ..VERSIONS };
        Saving::new(&mut self.index, &origin).map(|saving| JsSaving { saving, more: true }).map_err(to_js)
    }
}

/// The versions of the rule that cuts texts into words and of the text settings. A file with other versions is not
/// used.
const VERSIONS: Origin = Origin { analyzer: 1, settings: 1, position: 0, checksum: 0 };

/// An index that is being written to a file.
#[wasm_bindgen(js_name = TextSaving)]
pub struct JsSaving {
    saving: Saving,
    more: bool,
}

#[wasm_bindgen(js_class = TextSaving)]
impl JsSaving {
    /// Returns the number of bytes of the whole file.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> f64 {
        self.saving.length as f64
    }

    /// Returns the next piece, or nothing at the end. Fails with ABORTED if the index has changed.
    pub fn next(&mut self, index: &JsIndex) -> std::result::Result<Option<Uint8Array>, JsValue> {
        if !self.more {
            return Ok(None);
        }
        let mut piece = None;
        let mut give = |bytes: &[u8]| {
            piece = Some(Uint8Array::from(bytes));
            Ok(())
        };
        self.more = self.saving.step(&index.index, &mut give).map_err(to_js)?;
        Ok(piece)
    }
}

/// An index that is being read from a file.
#[wasm_bindgen(js_name = TextLoading)]
pub struct JsLoading(Option<Loading>);

#[wasm_bindgen(js_class = TextLoading)]
impl JsLoading {
    #[wasm_bindgen(constructor)]
    pub fn new(length: f64) -> JsLoading {
        JsLoading(Some(Loading::new(length as u64)))
    }

    pub fn feed(&mut self, bytes: &[u8]) -> std::result::Result<(), JsValue> {
        self.0.as_mut().ok_or_else(|| to_js(ended()))?.feed(bytes).map_err(to_js)
    }

    /// Makes the next steps give document `n` the number `numbers[n]`. Documents without a number are removed.
    pub fn renumber(&mut self, numbers: Vec<u32>) -> std::result::Result<(), JsValue> {
        self.0.as_mut().ok_or_else(|| to_js(ended()))?.renumber(numbers).map_err(to_js)
    }

    /// Checks a part of what was read. Returns true if nothing is left to check.
    pub fn step(&mut self) -> std::result::Result<bool, JsValue> {
        let loading = self.0.as_mut().ok_or_else(|| to_js(ended()))?;
        loading.step(SLICE).map(|more| !more).map_err(to_js)
    }

    /// Ends the loading and returns the index. Fails with CORRUPT if it was saved with another position or checksum, or
    /// has another number of fields.
    pub fn finish(
        &mut self,
        collection: String,
        count: u32,
        fields: &[u8],
        position: f64,
        checksum: u32,
    ) -> std::result::Result<JsIndex, JsValue> {
        let loading = self.0.take().ok_or_else(|| to_js(ended()))?;
        let (index, origin) = loading.finish().map_err(to_js)?;
        if origin != (Origin { position: position as u64, checksum, ..VERSIONS }) || index.fields() != count as usize {
            return Err(to_js(error(Code::Corrupt, "the index of words is of another log")));
        }
        JsIndex::with(index, collection, fields).map_err(to_js)
    }
}

fn ended() -> Error {
    error(Code::Closed, "the index of words is loaded already")
}

/// Documents with their scores, best first.
#[wasm_bindgen(js_name = Scored)]
pub struct JsScored(Vec<Scored>);

#[wasm_bindgen(js_class = Scored)]
impl JsScored {
    #[wasm_bindgen(getter)]
    pub fn docs(&self) -> Uint32Array {
        let docs: Vec<u32> = self.0.iter().map(|(doc, _)| *doc).collect();
        Uint32Array::from(docs.as_slice())
    }

    #[wasm_bindgen(getter)]
    pub fn scores(&self) -> Float64Array {
        let scores: Vec<f64> = self.0.iter().map(|(_, score)| *score).collect();
        Float64Array::from(scores.as_slice())
    }
}

/// Counts stay below 2^53. From there on, JavaScript cannot represent every whole number.
const MOST_COUNTED: f64 = 9_007_199_254_740_992.0;

fn other_question() -> Error {
    error(Code::InvalidArgument, "the statistics are of another question")
}

/// A field that is searched, in one or more collections.
struct Field {
    name: String,
    /// The largest weight that a collection gives it.
    weight: f64,
    total: u64,
    counts: Vec<u64>,
}

/// The words of a question, and what all scores depend on.
#[wasm_bindgen(js_name = Question)]
pub struct JsQuestion {
    question: Question,
    fields: Vec<Field>,
    statistics: Statistics,
}

#[wasm_bindgen(js_class = Question)]
impl JsQuestion {
    #[wasm_bindgen(constructor)]
    pub fn new(
        text: &str,
        match_all: bool,
        prefix: bool,
        fuzzy: u32,
        english: bool,
    ) -> std::result::Result<JsQuestion, JsValue> {
        let fuzzy = match fuzzy {
            0 => Fuzzy::Off,
            1 => Fuzzy::Absent,
            _ => Fuzzy::Every,
        };
        let options = Options { match_all, prefix, fuzzy, forms_en: english };
        let question = Question::parse(text, &options).map_err(to_js)?;
        Ok(JsQuestion { question, fields: Vec::new(), statistics: Statistics::default() })
    }

    #[wasm_bindgen(getter, js_name = hasWords)]
    pub fn has_words(&self) -> bool {
        !self.question.is_empty()
    }

    /// Adds the statistics of an index. `weights` has the weight of each field of the index. Only fields with a weight
    /// above 0 are searched.
    pub fn count(&mut self, index: &mut JsIndex, weights: &[f64]) -> std::result::Result<(), JsValue> {
        self.add(index, weights).map_err(to_js)
    }

    fn add(&mut self, index: &mut JsIndex, weights: &[f64]) -> Result<()> {
        for (name, weight) in index.fields.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
            match self.fields.iter_mut().find(|field| field.name == *name) {
                Some(field) => field.weight = field.weight.max(*weight),
                None => {
                    let counts = vec![0; self.question.clauses()];
                    self.fields.push(Field { name: name.clone(), weight: *weight, total: 0, counts });
                }
            }
        }
        let (own, _) = self.own(index, weights);
        let found = index.index.statistics(&self.question, &own, 0)?;
        for (n, field) in self.fields.iter_mut().enumerate() {
            field.total += found.totals[n];
            for (count, more) in field.counts.iter_mut().zip(found.counts.iter().skip(n).step_by(own.len())) {
                *count += more;
            }
        }
        Ok(())
    }

    /// Returns the index's number and weight for each field of the question: [`ABSENT`] and 0 if the index does not
    /// search it.
    fn own(&self, index: &JsIndex, weights: &[f64]) -> (Vec<u8>, Vec<f64>) {
        let place = |field: &Field| {
            let place = index.fields.iter().position(|name| *name == field.name)?;
            let weight = weights.get(place).copied().filter(|weight| *weight > 0.0)?;
            Some((place as u8, weight))
        };
        self.fields.iter().map(|field| place(field).unwrap_or((ABSENT, 0.0))).unzip()
    }

    /// Sets the number of all documents in the collections that are searched.
    pub fn among(&mut self, documents: f64) {
        let documents = documents as u64;
        let totals = self.fields.iter().map(|field| field.total).collect();
        let mut counts = Vec::new();
        for n in 0..self.question.clauses() {
            for field in &self.fields {
                // An index from a file that somebody made may have more documents than there are.
                counts.push(field.counts[n].min(documents));
            }
        }
        self.statistics = Statistics { documents, totals, counts };
    }

    /// Returns the weight of a field, the number of its words, and for each clause the number of documents that have
    /// it. Returns an empty list for a field that is not searched.
    pub fn numbers(&self, field: &str) -> Vec<f64> {
        let Some(field) = self.fields.iter().find(|own| own.name == field) else { return Vec::new() };
        let counts = field.counts.iter().map(|count| *count as f64);
        [field.weight, field.total as f64].into_iter().chain(counts).collect()
    }

    /// Sets what `numbers` returned for a field, or the sum of that over several stores.
    #[wasm_bindgen(js_name = setNumbers)]
    pub fn set_numbers(&mut self, name: String, numbers: &[f64]) -> std::result::Result<(), JsValue> {
        let right = numbers.iter().all(|number| *number >= 0.0 && *number < MOST_COUNTED);
        let [weight, total, counts @ ..] = numbers else { return Err(to_js(other_question())) };
        if !right || counts.len() != self.question.clauses() || self.fields.iter().any(|field| field.name == name) {
            return Err(to_js(other_question()));
        }
        let counts = counts.iter().map(|count| *count as u64).collect();
        self.fields.push(Field { name, weight: *weight, total: *total as u64, counts });
        Ok(())
    }

    /// Returns the highest score that any document could have.
    #[wasm_bindgen(getter)]
    pub fn ceiling(&self) -> std::result::Result<f64, JsValue> {
        let weights: Vec<f64> = self.fields.iter().map(|field| field.weight).collect();
        ceiling(&self.question, &self.statistics, &weights).map_err(to_js)
    }

    /// Returns the best `most` documents, and all others with the same score as the last of them. If `among` is given,
    /// only documents with their bit set are returned. Each of its numbers has the bits of sixteen documents.
    pub fn best(
        &self,
        index: &mut JsIndex,
        weights: &[f64],
        most: u32,
        among: Option<Uint16Array>,
    ) -> std::result::Result<JsScored, JsValue> {
        let (fields, weights) = self.own(index, weights);
        let among = among.map(|among| among.to_vec());
        let asked = (fields.as_slice(), weights.as_slice());
        let best = index.index.best(&self.question, &self.statistics, asked, most as usize, among.as_deref());
        best.map(JsScored).map_err(to_js)
    }

    /// Returns all documents that match, with their scores.
    pub fn all(&self, index: &mut JsIndex, weights: &[f64]) -> std::result::Result<JsScored, JsValue> {
        let (fields, weights) = self.own(index, weights);
        let (mut all, mut failed) = (Vec::new(), false);
        let each = &mut |doc, score| {
            failed |= reserve(&mut all, 1, "the scores of all documents").is_err();
            if !failed {
                all.push((doc, score));
            }
        };
        index.index.all(&self.question, &self.statistics, (&fields, &weights), each).map_err(to_js)?;
        if failed {
            return Err(to_js(crate::error::out_of_memory("the scores of all documents", 0)));
        }
        Ok(JsScored(all))
    }

    /// Returns the start and end of each match in a text, in UTF-16 code units.
    pub fn places(&self, text: &str) -> std::result::Result<Vec<u32>, JsValue> {
        let found = places(&[text], MATCHES, &mut |token| self.question.wanted(token.text, &self.statistics));
        let mut flat = Vec::new();
        for place in found.map_err(to_js)?.matches {
            flat.push(place.from as u32);
            flat.push(place.to as u32);
        }
        Ok(flat)
    }

    /// Returns the start and end of the best passage of a text, in UTF-16 code units.
    pub fn passage(&self, text: &str) -> std::result::Result<Vec<u32>, JsValue> {
        let found = places(&[text], MATCHES, &mut |token| self.question.wanted(token.text, &self.statistics));
        let passage = found.map_err(to_js)?.passage;
        Ok(passage.map_or(vec![0, 0], |passage| vec![passage.from as u32, passage.to as u32]))
    }
}
