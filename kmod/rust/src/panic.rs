//! A panic is impossible by construction. Should one happen, the module stops; the machine does not.

use core::ffi::c_char;

unsafe extern "C" {
    fn dmr_glue_panic(file: *const c_char, length: u32, line: u32) -> !;
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("", 0), |location| (location.file(), location.line()));
    // SAFETY: reads no further than `length` bytes, and does not return.
    unsafe { dmr_glue_panic(file.as_ptr().cast(), file.len() as u32, line) }
}
