//! What a client asks for. It owns the reading of a request's head, which is foreign bytes; nothing here does IO.

/// What there is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The metrics.
    Metrics,
    /// The front page, which says where they are.
    Front,
    /// Anything else.
    Unknown,
    /// To change something.
    OtherMethod,
    /// It is no request.
    Malformed,
}

/// Where a head ends in `bytes`, the empty line included.
pub fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let crlf = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let lf = bytes.windows(2).position(|two| two == b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min()
}

/// What the first line of a head asks for, and whether only the answer's head is wanted. Header fields change
/// nothing here, and are not looked at.
pub fn parse(head: &[u8]) -> (Asked, bool) {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut words = line.trim_end_matches('\r').split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return (Asked::Malformed, false);
    };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") || !target.starts_with('/') {
        return (Asked::Malformed, false);
    }
    let path = target.split('?').next().unwrap_or_default();
    let asked = match path {
        _ if !matches!(method, "GET" | "HEAD") => Asked::OtherMethod,
        "/metrics" => Asked::Metrics,
        "/" => Asked::Front,
        _ => Asked::Unknown,
    };
    (asked, method == "HEAD")
}

#[cfg(test)]
mod tests;
