//! Normalization gives the same bits as native's, whatever the vector.

use nidus::{Nidus, Record};
use nidus_wasm::Store;
use nidus_wasm::internals::kernel;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generate::config;
use crate::pair::{batch, bits};
use crate::random::Random32;

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
    // Lengths around the one below which a vector is left as it is, on one axis and on two.
    for step in -40i32..40 {
        let x = f32::from_bits(edge.to_bits().wrapping_add_signed(step));
        vectors.push(vec![x, 0.0, 0.0, 0.0]);
        vectors.push(vec![x * std::f32::consts::FRAC_1_SQRT_2, 0.0, -x * std::f32::consts::FRAC_1_SQRT_2, 0.0]);
    }
    // Lengths around the one whose square overflows.
    for step in -40i32..40 {
        let x = f32::from_bits(1.844_674_3e19f32.to_bits().wrapping_add_signed(step));
        vectors.push(vec![0.0, x, 0.0, 0.0]);
        vectors.push(vec![x / 2.0; 4]);
    }
    let numbers = [
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        1e-40,
        f32::MIN_POSITIVE,
        1e-23,
        1e-20,
        1e-6,
        1.0,
        1e15,
        1e19,
        3e19,
        f32::MAX,
        f32::INFINITY,
    ];
    for a in numbers {
        for b in numbers {
            vectors.push(vec![a, b, -a, b]);
        }
    }
    assert_same(&vectors);
    for dimension in [1, 7, 8, 9, 384, 4096] {
        assert_same(&[
            vec![1e-12 / (dimension as f32).sqrt(); dimension],
            vec![1e17; dimension],
            vec![1e-45; dimension],
        ]);
    }
}

/// The batches have sizes around those at which rows are handled together and at which chunks begin. The rows must have
/// the same bits as native's.
#[test]
fn batches_of_all_sizes() {
    let mut numbers = Random32(1);
    let mut number = || numbers.draw() as i32 as f32 / i32::MAX as f32;
    for (dimension, counts) in [
        (1, vec![63, 64, 65, 200]),
        (3, vec![1, 2, 3, 4, 5, 7, 8, 9, 64, 130]),
        (384, vec![40, 41, 83, 511, 513]),
        (5000, vec![1, 8, 9, 30]),
    ] {
        let mut native = Nidus::open_in_memory(dimension).unwrap();
        let mut store = Store::in_memory(dimension).unwrap();
        for (at, count) in counts.into_iter().enumerate() {
            let record = |n| Record {
                id: format!("{at} {n}"),
                vector: (0..dimension).map(|_| number()).collect(),
                attrs: Default::default(),
            };
            let records: Vec<Record> = (0..count).map(record).collect();
            native.upsert("c", &records).unwrap();
            let (batch, vectors) = batch(&records);
            store.stage_upsert("c", count, batch.bytes(), &vectors).unwrap();
            store.commit().unwrap();
        }
        for record in native.get_all("c") {
            assert_eq!(
                bits(&store.get("c", &record.id).unwrap().unwrap().vector),
                bits(&record.vector),
                "{dimension}: {}",
                record.id
            );
        }
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn any_bits(numbers in vec(any::<u32>(), 1..300), scale in -60i32..60) {
        let finite = |bits: &u32| Some(f32::from_bits(*bits)).filter(|x| x.is_finite()).unwrap_or(1.0);
        let any: Vec<f32> = numbers.iter().map(finite).collect();
        // All numbers have the same magnitude, so that none of them is lost in the others.
        let even = numbers.iter().map(|bits| (*bits as i32 as f32 / i32::MAX as f32) * 2f32.powi(scale)).collect();
        assert_same(&[any, even]);
    }

    #[test]
    fn rows_side_by_side(numbers in vec(any::<u32>(), 0..400), dimension in 1usize..60) {
        let rows: Vec<f32> =
            numbers.iter().map(|bits| f32::from_bits(*bits)).take(numbers.len() / dimension * dimension).collect();
        let mut sums = vec![0.5; rows.len() / dimension];
        kernel::norms_squared(&rows, dimension, &mut sums);
        for (row, sum) in rows.chunks(dimension).zip(sums) {
            let alone = row.iter().fold(0.0f32, |sum, x| sum + x * x);
            prop_assert!(sum.to_bits() == alone.to_bits() || sum.is_nan() && alone.is_nan());
        }
    }
}
