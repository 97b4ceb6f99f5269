//! A weight that stays in the blocks of its file.

use super::Format;
use super::groups::GROUP;

/// A weight [outputs, inputs] in rows of blocks.
#[derive(Clone, Copy)]
pub struct Blocks<'a> {
    pub(super) format: Format,
    bytes: &'a [u8],
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl<'a> Blocks<'a> {
    /// Refused where rows are no whole blocks and groups, or `bytes` are not exactly the rows.
    pub fn new(
        format: Format,
        bytes: &'a [u8],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, String> {
        let name = format.name();
        if inputs == 0 || !inputs.is_multiple_of(GROUP) {
            return Err(format!("a row of {inputs} is no multiple of {GROUP}"));
        }
        let row = format
            .bytes(inputs)
            .ok_or_else(|| format!("a row of {inputs} has no whole blocks of {name}"))?;
        if row.checked_mul(outputs) != Some(bytes.len()) {
            let held = bytes.len();
            return Err(format!(
                "{outputs} rows of {inputs} in {name} are not {held} bytes"
            ));
        }
        Ok(Self {
            format,
            bytes,
            outputs,
            inputs,
        })
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    fn row_bytes(&self) -> usize {
        self.bytes.len() / self.outputs.max(1)
    }

    pub(super) fn rows(&self, from: usize, to: usize) -> Blocks<'a> {
        let width = self.row_bytes();
        Blocks {
            bytes: &self.bytes[from * width..to * width],
            outputs: to - from,
            ..*self
        }
    }

    pub(super) unsafe fn row(&self, row: usize) -> *const u8 {
        self.bytes.as_ptr().add(row * self.row_bytes())
    }
}
