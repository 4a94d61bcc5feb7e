use wasm_bindgen::prelude::*;

use super::error::OrThrow;
use super::numbers::size;
use super::store::JsStore;
use crate::error::fail;
use crate::store::{Salvage, Salvaged};

#[wasm_bindgen(js_name = Salvage)]
pub struct JsSalvage {
    salvage: Option<Salvage>,
    found: Salvaged,
}

#[wasm_bindgen(js_class = Salvage)]
impl JsSalvage {
    #[wasm_bindgen(constructor)]
    pub fn new(data_length: f64, log_length: f64, dimension: Option<u32>) -> Result<JsSalvage, JsValue> {
        let new = || {
            Salvage::new(
                dimension.map(|n| n as usize),
                size(data_length, "the data's length")?,
                size(log_length, "the log's length")?,
            )
        };
        Ok(JsSalvage { salvage: Some(new().or_throw()?), found: Salvaged::default() })
    }

    /// Takes all bytes of the data, then all bytes of the log.
    pub fn feed(&mut self, log: bool, bytes: &[u8]) -> Result<(), JsValue> {
        match &mut self.salvage {
            Some(salvage) if log => salvage.feed_log(bytes).or_throw(),
            Some(salvage) => salvage.feed_data(bytes).or_throw(),
            None => Ok(()),
        }
    }

    pub fn finish(&mut self, transactional: bool) -> Result<JsStore, JsValue> {
        let mut finish = || {
            let Some(salvage) = self.salvage.take() else { fail!(Failed, "the salvage is finished") };
            let (store, found) = salvage.finish(transactional)?;
            self.found = found;
            Ok(JsStore(store))
        };
        finish().or_throw()
    }

    /// Returns the numbers of `Salvaged`, then offset and length of each place of damage that is reported, and of each
    /// frame of another version.
    #[wasm_bindgen(getter)]
    pub fn found(&self) -> Vec<f64> {
        let Salvaged { log, missing_rows, damaged_rows, unnamed_rows, data_bytes } = &self.found;
        let counts = [
            log.frames,
            log.skipped,
            log.bytes,
            log.damages,
            *missing_rows,
            *damaged_rows,
            *data_bytes,
            *unnamed_rows,
            log.foreign,
        ];
        counts
            .iter()
            .chain(log.places.as_flattened())
            .chain(log.foreign_places.as_flattened())
            .map(|n| *n as f64)
            .collect()
    }
}
