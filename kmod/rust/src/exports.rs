//! The functions that the glue calls. `kmod/remap_core.h` says who may call which, and when.

use core::ffi::{CStr, c_char, c_void};
use core::ptr::null_mut;

use remap_core::scrub::Scrub;

use crate::abi;
use crate::engine::Engine;
use crate::glue::{Glue, disk_code};
use crate::memory::Placed;
use crate::text::Text;
use crate::{messages, opening, order, scrubbing, table};

/// The caller's buffer of `length` bytes.
///
/// # Safety
/// Valid for writing for as long as the text lives.
unsafe fn text<'b>(buffer: *mut c_char, length: u32) -> Text<'b> {
    // SAFETY: by the caller's promise.
    Text::new(unsafe { core::slice::from_raw_parts_mut(buffer.cast(), length as usize) })
}

/// The caller's arguments, by number; what is not UTF-8 is none.
///
/// # Safety
/// `arguments` are `count` strings that end with a zero and live as long as the result.
unsafe fn arguments<'a>(
    count: u32,
    arguments: *const *const c_char,
) -> impl Fn(usize) -> Option<&'a str> + Copy {
    move |at| {
        if at >= count as usize {
            return None;
        }
        // SAFETY: `at` is below `count`, see above.
        let argument = unsafe { arguments.add(at) };
        // SAFETY: as above.
        let argument = unsafe { *argument };
        // SAFETY: by the promise of the caller of the function around.
        unsafe { CStr::from_ptr(argument) }.to_str().ok()
    }
}

/// Takes a table line apart. 0, or 1 with the reason in `why`.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_table_parse(
    count: u32,
    given: *const *const c_char,
    parsed: *mut abi::Table,
    why: *mut c_char,
    why_length: u32,
) -> u32 {
    // SAFETY: by the caller's promise.
    let mut why = unsafe { text(why, why_length) };
    // SAFETY: by the caller's promise.
    let given = unsafe { arguments(count, given) };
    let Some(table) = table::parse(given, &mut why) else { return 1 };
    // SAFETY: by the caller's promise.
    unsafe { parsed.write(table) };
    0
}

/// Opens or makes a set. Null with the reason in `why`.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_open(
    context: *mut c_void,
    params: *const abi::Params,
    why: *mut c_char,
    why_length: u32,
) -> *mut Engine {
    // SAFETY: by the caller's promise.
    let mut why = unsafe { text(why, why_length) };
    // SAFETY: by the caller's promise.
    let glue = unsafe { Glue::new(context) };
    // SAFETY: by the caller's promise.
    let params = unsafe { &*params };
    opening::open_set(glue, params, &mut why).map_or(null_mut(), Placed::into_raw)
}

/// Marks the set as closed cleanly; 0, the number of an error, or 11 when the metadata could not be written
/// before.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_close(engine: *const Engine) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise, nobody else uses the engine.
    let writer = unsafe { engine.writer() };
    match engine.close(writer) {
        Ok(()) if engine.has_become_read_only() => 11,
        Ok(()) => 0,
        Err(error) => disk_code(error),
    }
}

/// Gives back all memory.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_free(engine: *mut Engine) {
    // SAFETY: by the caller's promise, this is from `dmr_engine_open` and given back once.
    drop(unsafe { Placed::from_raw(engine) });
}

/// Where a request goes. Any context.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_resolve(
    engine: *const Engine,
    start: u64,
    sectors: u64,
    write: u32,
    piece: *mut abi::Piece,
) {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    let resolved = engine.resolve(start, sectors, write != 0);
    // SAFETY: by the caller's promise.
    unsafe { piece.write(resolved) };
}

/// Whether a flush can concern a spare. Any context.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_spares_used(engine: *const Engine) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    u32::from(engine.spares_are_used())
}

/// Breaks an invariant, for tests of what happens then.
#[unsafe(no_mangle)]
pub extern "C" fn dmr_engine_break(wanted: u32) {
    assert!(wanted == 0, "on request");
}

/// Whether lost sectors are served as zeros. Any context.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_reads_zero(engine: *const Engine) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    u32::from(engine.reads_as_zero())
}

/// Works through a batch. The recovery work only.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_batch(engine: *const Engine, jobs: *const abi::Job, count: u32) {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise.
    let jobs = unsafe { core::slice::from_raw_parts(jobs, count as usize) };
    // SAFETY: by the caller's promise, this is the recovery work.
    let writer = unsafe { engine.writer() };
    engine.batch(writer, jobs);
}

/// Takes one step of an order; 0 when there is none left. The recovery work only.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_order_step(engine: *const Engine, order: *mut abi::Order) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise.
    let order = unsafe { &mut *order };
    // SAFETY: by the caller's promise, this is the recovery work.
    let writer = unsafe { engine.writer() };
    u32::from(engine.step(writer, order))
}

/// Gives no slot of a spare out any more, or does again. The recovery work only.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_drain_spare(engine: *const Engine, device: u32, draining: u32) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise, this is the recovery work.
    let writer = unsafe { engine.writer() };
    u32::from(engine.drain_spare(writer, device, draining != 0))
}

/// Says what became of an order.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_order_report(order: *const abi::Order, buffer: *mut c_char, length: u32) {
    // SAFETY: by the caller's promise.
    let mut text = unsafe { text(buffer, length) };
    // SAFETY: by the caller's promise.
    order::say_report(unsafe { &*order }, &mut text);
}

/// Understands a message, and answers it where that takes no writing: one of [`messages::ANSWERED`] and the
/// others.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_message(
    engine: *const Engine,
    count: u32,
    given: *const *const c_char,
    io: *const abi::IoCounts,
    order: *mut abi::Order,
    buffer: *mut c_char,
    length: u32,
) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise.
    let given = unsafe { arguments(count, given) };
    // SAFETY: by the caller's promise.
    let io = unsafe { &*io };
    // SAFETY: by the caller's promise.
    let order = unsafe { &mut *order };
    // SAFETY: by the caller's promise.
    let mut text = unsafe { text(buffer, length) };
    messages::take(engine, given, io, order, &mut text)
}

/// Says the fields of the status line; returns how long it is.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_status(engine: *const Engine, buffer: *mut c_char, length: u32) -> u32 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise.
    let mut text = unsafe { text(buffer, length) };
    engine.say_status(&mut text);
    text.length() as u32
}

/// Tells the figures that sysfs shows.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_facts(engine: *const Engine, facts: *mut abi::Facts) {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise.
    unsafe { facts.write(engine.facts()) };
}

/// The set's UUID as 16 bytes.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_uuid(engine: *const Engine, uuid: *mut [u8; 16]) {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    // SAFETY: by the caller's promise.
    unsafe { uuid.write(*engine.uuid.as_bytes()) };
}

/// The set's size in sectors.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_sectors(engine: *const Engine) -> u64 {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    engine.set.get().sectors()
}

/// Sets recovery's counters to zero.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_engine_clear(engine: *const Engine) {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    engine.set.get().counters.clear();
}

/// A scrub of the whole set at a rate in bytes per second, 0 without limit; null when there is no memory.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_scrub_new(engine: *const Engine, rate: u64, now_ms: u64) -> *mut Scrub {
    // SAFETY: by the caller's promise.
    let engine = unsafe { &*engine };
    let scrub = Scrub::new(engine.set.get().sectors(), engine.pages, rate, now_ms);
    Placed::new(scrub).map_or(null_mut(), Placed::into_raw)
}

/// What the scrub is to do now.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_scrub_next(scrub: *mut Scrub, now_ms: u64, step: *mut abi::ScrubStep) {
    // SAFETY: by the caller's promise.
    let scrub = unsafe { &mut *scrub };
    // SAFETY: by the caller's promise.
    unsafe { step.write(scrubbing::next(scrub, now_ms)) };
}

/// What was told to be read in one go cannot be read.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_scrub_failed(scrub: *mut Scrub, start: u64, sectors: u64) {
    // SAFETY: by the caller's promise.
    scrubbing::failed(unsafe { &mut *scrub }, start, sectors);
}

/// Gives back a scrub's memory.
///
/// # Safety
/// As in `kmod/remap_core.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_scrub_free(scrub: *mut Scrub) {
    // SAFETY: by the caller's promise, this is from `dmr_scrub_new` and given back once.
    drop(unsafe { Placed::from_raw(scrub) });
}
