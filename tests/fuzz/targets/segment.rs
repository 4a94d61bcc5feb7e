//! Fuzzes the segment alone: any bytes for its file, then calls with faults, compared with a list of rows.

use nidus_wasm::{Code, DataSegment, code_of};

use super::input::Input;
use super::log::header;
use super::medium::{Disk, Fault};
use super::model::bits;

fn rows(input: &mut Input<'_>, dimension: usize) -> Vec<f32> {
    (0..input.below(9) * dimension).map(|_| f32::from_bits(u32::from(input.u16()) << 16)).collect()
}

fn same(segment: &DataSegment, model: &[f32]) {
    let dimension = segment.dimension();
    assert_eq!(segment.row_count(), model.len() / dimension);
    assert_eq!(segment.bytes(), 64 + model.len() as u64 * 4);
    for (row, numbers) in model.chunks(dimension).enumerate() {
        assert_eq!(bits(segment.row(row).unwrap()), bits(numbers));
    }
    assert_eq!(segment.row(segment.row_count()).err().map(|error| code_of(&error)), Some(Code::InvalidArgument));
}

/// Opens any bytes. They are opened with all their complete rows, or as a new segment, or they are refused and not
/// changed.
fn any_bytes(bytes: Vec<u8>, dimension: usize) {
    let disk = Disk::new([bytes.clone(), Vec::new()]);
    let [file, _] = disk.current();
    match DataSegment::open(file, dimension) {
        Ok(segment) => {
            let left = disk.now()[0].clone();
            assert!(
                left == header(dimension as u32) || left == bytes[..bytes.len() - (bytes.len() - 64) % (dimension * 4)]
            );
            assert_eq!(segment.bytes(), left.len() as u64);
            let row = |row: usize| bytes[64 + row * dimension * 4..][..dimension * 4].to_vec();
            for n in 0..segment.row_count() {
                assert_eq!(segment.row(n).unwrap().iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>(), row(n));
            }
        }
        Err(error) => {
            assert!(
                matches!(code_of(&error), Code::Corrupt | Code::UnsupportedVersion | Code::DimensionMismatch),
                "{error:#}"
            );
            assert!(disk.now()[0] == bytes, "a refusal changed bytes");
        }
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (kind, dimension) = (input.u8(), 1 + input.below(9));
    if kind & 3 < 2 {
        let mut bytes = if kind & 3 == 1 { header(1 + u32::from(kind >> 2) % 9) } else { Vec::new() };
        bytes.extend(input.rest());
        return any_bytes(bytes, dimension);
    }
    let disk = Disk::default();
    let [file, other] = disk.fresh();
    disk.promote([file.file, other.file]);
    let mut segment = DataSegment::open(file, dimension).unwrap();
    let mut model: Vec<f32> = Vec::new();
    while !input.is_empty() {
        let before = disk.now()[0].clone();
        let mut next = model.clone();
        let result = match input.u8() % 12 {
            0..=3 => {
                let rows = rows(&mut input, dimension);
                next.extend(&rows);
                segment.append_rows(&rows).map(|first| assert_eq!(first, model.len() / dimension))
            }
            4 | 5 => {
                let keep = input.below(20);
                let (there, result) = (segment.row_count(), segment.truncate_to(keep));
                next.truncate(keep * dimension);
                if keep > there {
                    let code = code_of(&result.unwrap_err());
                    assert!(matches!(code, Code::InvalidArgument | Code::Failed));
                    continue;
                }
                result
            }
            6 => segment.sync(),
            7 => {
                let (rows, [fresh, second]) = (rows(&mut input, dimension), disk.fresh());
                let pair = [fresh.file, second.file];
                next.clone_from(&rows);
                let result = segment.rewrite_to(Box::new(fresh), &rows);
                if result.is_ok() {
                    disk.promote(pair);
                }
                result
            }
            8 => {
                let (from, len, kind) = (u64::from(input.u8() % 6), u64::from(input.u8() % 4), input.u8());
                disk.fail(
                    from,
                    from + 1 + len,
                    [Fault::Refused, Fault::Short(kind.into()), Fault::Done][usize::from(kind) % 3],
                );
                continue;
            }
            9 => {
                disk.heal();
                continue;
            }
            10 if dimension > 1 => {
                assert_eq!(
                    code_of(&segment.append_rows(&vec![1.0; dimension + 1]).unwrap_err()),
                    Code::DimensionMismatch
                );
                continue;
            }
            _ => {
                // The segment is opened again, as a later process would open it.
                disk.heal();
                drop(segment);
                segment = DataSegment::open(disk.current().into_iter().next().unwrap(), dimension).unwrap();
                let rows = segment.row_count();
                let found: Vec<f32> = (0..rows).flat_map(|row| segment.row(row).unwrap().to_vec()).collect();
                let common = found.len().min(model.len());
                assert_eq!(bits(&found[..common]), bits(&model[..common]));
                next = found;
                Ok(())
            }
        };
        match result {
            Ok(()) => {
                model = next;
                same(&segment, &model);
            }
            Err(error) => {
                // A change that failed is not seen, and is rolled back. If that failed, too, the segment takes no more
                // changes.
                same(&segment, &model);
                if disk.now()[0] != before && !matches!(code_of(&error), Code::Failed) {
                    disk.heal();
                    assert_eq!(segment.sync().err().map(|error| code_of(&error)), Some(Code::Failed), "{error:#}");
                }
            }
        }
    }
}
