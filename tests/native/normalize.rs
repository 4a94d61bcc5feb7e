//! Normalization: equal bits, whatever the vector.

use nidus::{Nidus, Record};
use nidus_wasm::search::kernel;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generate::config;
use crate::pair::bits;

fn assert_same(vectors: &[Vec<f32>]) {
    let mut native = Nidus::open_in_memory(vectors[0].len()).unwrap();
    for (n, vector) in vectors.iter().enumerate() {
        native.upsert("c", &[Record { id: n.to_string(), vector: vector.clone(), attrs: Default::default() }]).unwrap();
    }
    for record in native.get_all("c") {
        let vector = &vectors[record.id.parse::<usize>().unwrap()];
        let mut ours = vector.clone();
        kernel::normalize(&mut ours);
        assert_eq!(bits(&ours), bits(&record.vector), "{vector:?}");
    }
}

#[test]
fn hostile_vectors() {
    let edge = 1e-12f32;
    let mut vectors: Vec<Vec<f32>> = Vec::new();
    // Around the length below which a vector is left alone, on one axis and on two.
    for step in -40i32..40 {
        let x = f32::from_bits(edge.to_bits().wrapping_add_signed(step));
        vectors.push(vec![x, 0.0, 0.0, 0.0]);
        vectors.push(vec![x * std::f32::consts::FRAC_1_SQRT_2, 0.0, -x * std::f32::consts::FRAC_1_SQRT_2, 0.0]);
    }
    // Around the length whose square overflows.
    for step in -40i32..40 {
        let x = f32::from_bits(1.844_674_3e19f32.to_bits().wrapping_add_signed(step));
        vectors.push(vec![0.0, x, 0.0, 0.0]);
        vectors.push(vec![x / 2.0; 4]);
    }
    let numbers = [0.0, -0.0, 1e-45, -1e-45, 1e-40, f32::MIN_POSITIVE, 1e-23, 1e-20, 1e-6, 1.0, 1e15, 1e19, 3e19, f32::MAX, f32::INFINITY];
    for a in numbers {
        for b in numbers {
            vectors.push(vec![a, b, -a, b]);
        }
    }
    assert_same(&vectors);
    for dimension in [1, 7, 8, 9, 384, 4096] {
        assert_same(&[vec![1e-12 / (dimension as f32).sqrt(); dimension], vec![1e17; dimension], vec![1e-45; dimension]]);
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn any_bits(numbers in vec(any::<u32>(), 1..300), scale in -60i32..60) {
        let finite = |bits: &u32| Some(f32::from_bits(*bits)).filter(|x| x.is_finite()).unwrap_or(1.0);
        let any: Vec<f32> = numbers.iter().map(finite).collect();
        // All of one magnitude, so that no number drowns the others.
        let even = numbers.iter().map(|bits| (*bits as i32 as f32 / i32::MAX as f32) * 2f32.powi(scale)).collect();
        assert_same(&[any, even]);
    }
}
