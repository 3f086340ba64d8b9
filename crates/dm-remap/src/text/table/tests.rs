use super::{Table, pairs};

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let mut table = Table::new(&["NAME", ">SIZE"]);
    table.row(["a".into(), "4 KiB".into()]);
    table.row(["longer".into(), "1".into()]);
    assert_eq!(table.show(), "NAME     SIZE\na       4 KiB\nlonger      1\n");
}

#[test]
fn values_stand_under_each_other() {
    assert_eq!(pairs(&[("a", "1".into()), ("bcd", "2".into())]), "a    1\nbcd  2\n");
}
