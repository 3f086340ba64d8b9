//! Facts about replies that go out together.

use super::*;
use crate::session::pool::Pool;

fn bytes_of(batch: &Batch) -> Vec<u8> {
    batch.slices().iter().flat_map(|slice| slice.to_vec()).collect()
}

fn push(batch: &mut Batch, head: &[u8], data: &[u8]) {
    let data = (!data.is_empty()).then(|| {
        let mut buffer = Pool::default().take(data.len());
        buffer.copy_from_slice(data);
        buffer
    });
    batch.push(Weight::of(data.as_deref().map_or(0, <[u8]>::len)), |out| out.extend_from_slice(head), data);
}

#[test]
fn headers_and_data_keep_their_order() {
    let mut batch = Batch::default();
    push(&mut batch, b"a", b"");
    push(&mut batch, b"b", b"data");
    push(&mut batch, b"c", b"");
    push(&mut batch, b"d", b"more");
    assert_eq!(bytes_of(&batch), b"abdatacdmore");
    assert_eq!(batch.slices().len(), 4, "headers that follow each other are one piece");
    assert_eq!(batch.weight(), Weight { requests: 4, bytes: 8 });
}

#[test]
fn one_batch_appended_to_another_comes_behind_it() {
    let (mut first, mut second) = (Batch::default(), Batch::default());
    push(&mut first, b"a", b"1");
    push(&mut second, b"b", b"");
    push(&mut second, b"c", b"23");
    first.append(&mut second);
    assert_eq!(bytes_of(&first), b"a1bc23");
    assert_eq!((first.data_bytes(), first.weight().requests), (3, 3));
    assert!(second.is_empty() && second.weight() == Weight::default() && bytes_of(&second).is_empty());
    push(&mut second, b"d", b"");
    assert_eq!(bytes_of(&second), b"d");
}

#[test]
fn a_cleared_batch_holds_nothing() {
    let mut batch = Batch::default();
    push(&mut batch, b"a", b"1");
    batch.clear();
    assert!(batch.is_empty() && batch.data_bytes() == 0 && bytes_of(&batch).is_empty());
}
