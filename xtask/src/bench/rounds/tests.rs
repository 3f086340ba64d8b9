//! The order of measuring, and what is made of the figures.

use std::cell::RefCell;

use super::{Contender, alternate, median};

#[test]
fn each_round_starts_with_another_contender() {
    let order = RefCell::new(String::new());
    let contender = |name: &'static str| {
        let order = &order;
        Contender::new(name, move || {
            order.borrow_mut().push_str(name);
            Ok(1.0)
        })
    };
    alternate("IOPS", 3, vec![contender("a"), contender("b"), contender("c")]).unwrap();
    assert_eq!(*order.borrow(), "abcbcacab");
}

#[test]
fn a_ratio_compares_within_rounds_though_the_machine_drifts() {
    let drifting = |factor: f64| {
        let mut speed = 100.0;
        Contender::new("c", move || {
            speed *= 2.0;
            Ok(speed * factor)
        })
    };
    let results = alternate("IOPS", 3, vec![drifting(1.0), drifting(1.5)]).unwrap();
    let [first, second] = results.rows() else { panic!("two rows") };
    assert!((first.ratio - 1.0).abs() < 1e-9 && (second.ratio - 1.5).abs() < 1e-9);
    assert!((first.median - 400.0).abs() < 1e-9);
    assert!((first.lowest - 200.0).abs() < 1e-9 && (first.highest - 800.0).abs() < 1e-9);
}

#[test]
fn the_table_has_a_line_for_each_contender() {
    let contenders = vec![Contender::new("bare", || Ok(200.0)), Contender::new("remap", || Ok(100.0))];
    let table = alternate("IOPS", 1, contenders).unwrap().to_string();
    assert_eq!(
        table,
        "IOPS         median        lowest       highest  ratio\n\
         bare          200.0         200.0         200.0   1.00\n\
         remap         100.0         100.0         100.0   0.50\n"
    );
}

#[test]
fn a_failed_or_empty_measurement_is_an_error() {
    assert!(alternate("s", 1, vec![Contender::new("zero", || Ok(0.0))]).is_err());
    assert!(alternate("s", 1, vec![Contender::new("bad", || anyhow::bail!("no"))]).is_err());
    assert!(alternate("s", 0, vec![Contender::new("a", || Ok(1.0))]).is_err());
    assert!(alternate("s", 1, Vec::new()).is_err());
}

#[test]
fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
    assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
    assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
}
