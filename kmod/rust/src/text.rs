//! Texts in memory of the caller: cut where it ends, and always ended by a zero, as C wants them.

use core::fmt;

/// A text that grows until its memory is full.
#[derive(Debug)]
pub struct Text<'b> {
    buffer: &'b mut [u8],
    length: usize,
    cut: bool,
}

impl<'b> Text<'b> {
    /// An empty one.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        if let Some(first) = buffer.first_mut() {
            *first = 0;
        }
        Self { buffer, length: 0, cut: false }
    }

    /// Bytes without the zero.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether something did not fit.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Back to an earlier length.
    pub fn truncate(&mut self, length: usize) {
        if let Some(end) = self.buffer.get_mut(length)
            && length < self.length
        {
            *end = 0;
            self.length = length;
        }
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // Room for this byte and the zero behind it.
            let Some([here, behind]) = self.buffer.get_mut(self.length..).and_then(|rest| rest.get_mut(..2))
            else {
                self.cut = true;
                return Ok(());
            };
            *here = byte;
            *behind = 0;
            self.length += 1;
        }
        Ok(())
    }
}

/// The text before the first zero; nothing when it is not UTF-8.
pub fn until_zero(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(bytes.get(..end).unwrap_or_default()).unwrap_or_default()
}

/// Writes, whatever fits.
macro_rules! say {
    ($text:expr, $($argument:tt)*) => {{
        // Writing to a `Text` never fails; what does not fit is cut.
        let _ = core::fmt::Write::write_fmt($text, format_args!($($argument)*));
    }};
}
pub(crate) use say;
