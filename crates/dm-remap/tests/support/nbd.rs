//! As much of an NBD client as the tests need, by the protocol's text alone and not by the server's code.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

pub struct Client {
    stream: UnixStream,
    pub bytes: u64,
    cookie: u64,
}

impl Client {
    /// Connects to the default export of the server at `socket`.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting)?;
        assert_eq!(&greeting[..16], b"NBDMAGICIHAVEOPT");
        // Fixed newstyle, no zeroes behind the export's facts; then EXPORT_NAME with an empty name.
        stream.write_all(&3_u32.to_be_bytes())?;
        stream.write_all(b"IHAVEOPT")?;
        stream.write_all(&1_u32.to_be_bytes())?;
        stream.write_all(&0_u32.to_be_bytes())?;
        let mut facts = [0; 10];
        stream.read_exact(&mut facts)?;
        let bytes = u64::from_be_bytes(facts[..8].try_into().unwrap());
        Ok(Self { stream, bytes, cookie: 0 })
    }

    /// Fills `into` from byte `offset`; the inner error is the server's.
    pub fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<Result<(), u32>> {
        let answer = self.ask(READ, offset, into.len(), &[])?;
        if answer.is_ok() {
            self.stream.read_exact(into)?;
        }
        Ok(answer)
    }

    pub fn write(&mut self, offset: u64, from: &[u8]) -> io::Result<Result<(), u32>> {
        self.ask(WRITE, offset, from.len(), from)
    }

    pub fn flush(&mut self) -> io::Result<Result<(), u32>> {
        self.ask(FLUSH, 0, 0, &[])
    }

    fn ask(&mut self, command: u16, offset: u64, length: usize, data: &[u8]) -> io::Result<Result<(), u32>> {
        self.cookie += 1;
        let mut request = Vec::with_capacity(28 + data.len());
        request.extend(0x2560_9513_u32.to_be_bytes());
        request.extend(0_u16.to_be_bytes());
        request.extend(command.to_be_bytes());
        request.extend(self.cookie.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend((length as u32).to_be_bytes());
        request.extend(data);
        self.stream.write_all(&request)?;
        let mut reply = [0; 16];
        self.stream.read_exact(&mut reply)?;
        assert_eq!(reply[..4], 0x6744_6698_u32.to_be_bytes());
        assert_eq!(reply[8..], self.cookie.to_be_bytes());
        Ok(match u32::from_be_bytes(reply[4..8].try_into().unwrap()) {
            0 => Ok(()),
            error => Err(error),
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut request = [0; 28];
        request[..4].copy_from_slice(&0x2560_9513_u32.to_be_bytes());
        request[6..8].copy_from_slice(&DISCONNECT.to_be_bytes());
        let _ = self.stream.write_all(&request);
    }
}
