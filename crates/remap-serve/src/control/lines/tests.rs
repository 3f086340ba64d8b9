//! Facts about lines.

use std::time::Duration;

use super::*;

fn soon() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(50))
}

#[test]
fn lines_come_one_by_one_however_they_arrive() {
    let (one, other) = Socket::pair().expect("a pair");
    let mut lines = Lines::default();
    one.send_by(b"first\nsec", None).expect("there is room");
    assert_eq!(lines.next(&other, soon()).expect("a line"), Some(b"first".to_vec()));
    assert!(matches!(lines.next(&other, soon()), Err(LineError::Net(NetError::Late))));
    one.send_by(b"ond\n\nlast\n", None).expect("there is room");
    for line in [&b"second"[..], b"", b"last"] {
        assert_eq!(lines.next(&other, soon()).expect("a line").as_deref(), Some(line));
    }
    drop(one);
    assert_eq!(lines.next(&other, soon()).expect("an orderly end"), None);
}

#[test]
fn a_line_cut_short_is_none() {
    let (one, other) = Socket::pair().expect("a pair");
    one.send_by(b"half", None).expect("there is room");
    drop(one);
    assert!(matches!(Lines::default().next(&other, soon()), Err(LineError::Cut)));
}

#[test]
fn the_longest_line_is_taken_and_a_longer_one_refused() {
    let line_of_length = |bytes: usize| {
        let (one, other) = Socket::pair().expect("a pair");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut line = vec![b'x'; bytes];
                line.push(b'\n');
                // The other side may hang up in the middle.
                let _ = one.send_by(&line, None);
            });
            let result = Lines::default().next(&other, None);
            other.hang_up();
            result
        })
    };
    let longest = MAX_LINE_BYTES - 1;
    assert_eq!(line_of_length(longest).expect("a line").map(|line| line.len()), Some(longest));
    assert!(matches!(line_of_length(longest + 1), Err(LineError::TooLong)));
}
