//! Front ends of a set: they turn what arrives on a wire into requests on a device, and answers into bytes.
//! Which sector lives where is not known here.

pub mod nbd;
