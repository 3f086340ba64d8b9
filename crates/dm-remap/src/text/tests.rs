use super::{count, grouped};

#[test]
fn numbers_are_grouped_where_that_helps() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(9999), "9999");
    assert_eq!(grouped(10_000), "10,000");
    assert_eq!(grouped(1_234_567), "1,234,567");
    assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
}

#[test]
fn one_is_not_many() {
    assert_eq!(count(1, "sector"), "1 sector");
    assert_eq!(count(0, "sector"), "0 sectors");
    assert_eq!(count(20_000, "sector"), "20,000 sectors");
}
