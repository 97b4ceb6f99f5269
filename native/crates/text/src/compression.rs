//! zstd streams: several frames one after the other are one stream, as with gzip members.

use zstd::stream::raw::{CParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

const STEP: usize = 1 << 17;

/// One buffer as one zstd frame with a checksum.
pub fn compress(bytes: &[u8], level: i32) -> Result<Vec<u8>, String> {
    let mut encoder = ZstdEncoder::new(level)?;
    let mut packed = encoder.push(bytes)?;
    packed.extend(encoder.end()?);
    Ok(packed)
}

/// The frames of one buffer, which make exactly `length` bytes.
pub fn decompress(packed: &[u8], length: usize) -> Result<Vec<u8>, String> {
    // The length is a claim of the file: nothing is set aside for it beyond what can follow from the bytes there are.
    let mut decoder = ZstdDecoder::new()?;
    decoder.push(packed);
    let mut text = Vec::with_capacity(length.min(packed.len().saturating_mul(8)));
    while let Some(piece) = decoder.next((length + 1 - text.len()).min(STEP))? {
        text.extend_from_slice(&piece);
        if text.len() > length {
            return Err(format!("holds more than {length} bytes"));
        }
    }
    decoder.end()?;
    if text.len() < length {
        return Err(format!("holds {} bytes, not {length}", text.len()));
    }
    Ok(text)
}

/// Compresses a stream into one zstd frame with a checksum.
pub struct ZstdEncoder {
    encoder: Encoder<'static>,
}

impl ZstdEncoder {
    pub fn new(level: i32) -> Result<Self, String> {
        let mut encoder = Encoder::new(level).map_err(|e| e.to_string())?;
        encoder
            .set_parameter(CParameter::ChecksumFlag(true))
            .map_err(|e| e.to_string())?;
        Ok(Self { encoder })
    }

    /// Takes more bytes and gives what is ready; that may be nothing.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut ready = Vec::with_capacity(STEP);
        let mut input = InBuffer::around(bytes);
        while input.pos() < bytes.len() {
            ready.reserve(STEP);
            let at = ready.len();
            let mut output = OutBuffer::around_pos(&mut ready, at);
            self.encoder
                .run(&mut input, &mut output)
                .map_err(|e| e.to_string())?;
        }
        Ok(ready)
    }

    /// Ends the frame and gives the rest.
    pub fn end(&mut self) -> Result<Vec<u8>, String> {
        let mut ready = Vec::with_capacity(STEP);
        loop {
            ready.reserve(STEP);
            let at = ready.len();
            let mut output = OutBuffer::around_pos(&mut ready, at);
            let left = self
                .encoder
                .finish(&mut output, true)
                .map_err(|e| e.to_string())?;
            if left == 0 {
                return Ok(ready);
            }
        }
    }
}

/// Decompresses a stream of zstd frames in bounded steps, so that a small input cannot fill the memory.
pub struct ZstdDecoder {
    decoder: Decoder<'static>,
    waiting: Vec<u8>,
    at: usize,
    consumed: u64,
    inside_frame: bool,
    full: bool,
}

impl ZstdDecoder {
    pub fn new() -> Result<Self, String> {
        Ok(Self {
            decoder: Decoder::new().map_err(|e| e.to_string())?,
            waiting: Vec::new(),
            at: 0,
            consumed: 0,
            inside_frame: false,
            full: false,
        })
    }

    /// Compressed bytes taken so far: where in the file an error is.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Adds compressed bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.drain(..self.at);
        self.at = 0;
        self.waiting.extend_from_slice(bytes);
    }

    /// At most `limit` bytes of the text, or nothing when more input is needed.
    pub fn next(&mut self, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let mut text = Vec::with_capacity(limit);
        while text.len() < limit && (self.at < self.waiting.len() || self.full) {
            let room = limit - text.len();
            let before = text.len();
            let mut step = vec![0u8; room.min(STEP)];
            let status = self
                .decoder
                .run_on_buffers(&self.waiting[self.at..], &mut step)
                .map_err(|e| e.to_string())?;
            text.extend_from_slice(&step[..status.bytes_written]);
            self.at += status.bytes_read;
            self.consumed += status.bytes_read as u64;
            self.inside_frame = status.remaining != 0;
            // The decoder may hold finished bytes back when the output was full.
            self.full = self.inside_frame && status.bytes_written == step.len();
            if status.bytes_read == 0 && text.len() == before {
                break;
            }
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// Says whether the input ended where a frame ends.
    pub fn end(&self) -> Result<(), String> {
        if self.inside_frame || self.at < self.waiting.len() {
            return Err("ends in the middle of a zstd frame".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZstdEncoder::new(3).unwrap();
        let mut packed = encoder.push(text).unwrap();
        packed.extend(encoder.end().unwrap());
        packed
    }

    fn unpack(packed: &[u8], chunk: usize) -> Result<Vec<u8>, String> {
        let mut decoder = ZstdDecoder::new()?;
        let mut text = Vec::new();
        for part in packed.chunks(chunk) {
            decoder.push(part);
            while let Some(bytes) = decoder.next(1000)? {
                assert!(bytes.len() <= 1000);
                text.extend(bytes);
            }
        }
        decoder.end().map(|_| text)
    }

    #[test]
    fn a_buffer_comes_back_and_a_wrong_length_is_refused() {
        let text = b"page after page ".repeat(40_000);
        let packed = compress(&text, 3).unwrap();
        assert_eq!(decompress(&packed, text.len()).unwrap(), text);
        assert_eq!(decompress(&compress(b"", 3).unwrap(), 0).unwrap(), b"");
        for length in [0, text.len() - 1, text.len() + 1, usize::MAX - 1] {
            assert!(decompress(&packed, length).is_err(), "{length}");
        }
        for cut in [0, 5, packed.len() - 1] {
            assert!(decompress(&packed[..cut], text.len()).is_err(), "{cut}");
        }
    }

    #[test]
    fn frames_in_a_row_are_one_stream_and_cuts_are_errors() {
        let text: Vec<u8> = (0..300_000u32)
            .flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 20).to_le_bytes())
            .collect();
        let mut packed = pack(&text);
        let second = packed.len();
        packed.extend(pack(b"and more"));
        let mut expected = text;
        expected.extend(b"and more");
        for chunk in [7_777, 1 << 16, packed.len()] {
            assert!(unpack(&packed, chunk).unwrap() == expected);
        }
        for cut in [1, 100, second - 1, second + 3, packed.len() - 1] {
            assert!(unpack(&packed[..cut], 5000).is_err(), "cut at {cut}");
        }
        packed[second / 2] ^= 0x40;
        assert!(unpack(&packed, 5000).is_err());
    }
}
