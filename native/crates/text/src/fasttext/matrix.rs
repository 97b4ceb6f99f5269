//! Rows of numbers, as they are or by product quantisation (Jégou et al. 2011).

use super::bytes::Reader;

pub enum Matrix {
    Dense { columns: usize, values: Vec<f32> },
    Quantised(Quantised),
}

pub struct Quantised {
    rows: usize,
    codes: Vec<u8>,
    vectors: Codebook,
    /// The lengths of the rows, where the rows were brought to length one.
    norms: Option<(Vec<u8>, Codebook)>,
}

/// A vector is cut into parts, and each part is one of 256.
struct Codebook {
    dimensions: usize,
    parts: usize,
    part: usize,
    last_part: usize,
    centroids: Vec<f32>,
}

const CENTROIDS: usize = 256;

impl Matrix {
    pub fn read(reader: &mut Reader, quantised: bool) -> Result<Self, String> {
        if quantised {
            return Ok(Self::Quantised(Quantised::read(reader)?));
        }
        let rows = reader.long_count("rows")?;
        let columns = reader.long_count("columns")?;
        let size = rows
            .checked_mul(columns)
            .ok_or_else(|| reader.error("a matrix too large"))?;
        Ok(Self::Dense {
            columns,
            values: reader.floats(size)?,
        })
    }

    pub fn rows(&self) -> usize {
        match self {
            Self::Dense { columns, values } => values.len().checked_div(*columns).unwrap_or(0),
            Self::Quantised(quantised) => quantised.rows,
        }
    }

    pub fn columns(&self) -> usize {
        match self {
            Self::Dense { columns, .. } => *columns,
            Self::Quantised(quantised) => quantised.vectors.dimensions,
        }
    }

    pub fn is_quantised(&self) -> bool {
        matches!(self, Self::Quantised(_))
    }

    pub fn add_row(&self, row: usize, sum: &mut [f32]) {
        match self {
            Self::Dense { columns, values } => {
                let row = &values[row * columns..][..*columns];
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum += value);
            }
            Self::Quantised(quantised) => {
                let norm = quantised.norm(row);
                quantised.each_part(row, |start, part| {
                    sum[start..]
                        .iter_mut()
                        .zip(part)
                        .for_each(|(sum, value)| *sum += norm * value);
                });
            }
        }
    }

    pub fn dot_row(&self, row: usize, vector: &[f32]) -> f32 {
        match self {
            Self::Dense { columns, values } => dot(&values[row * columns..][..*columns], vector),
            Self::Quantised(quantised) => {
                let mut sum = 0.0;
                quantised.each_part(row, |start, part| sum += dot(part, &vector[start..]));
                sum * quantised.norm(row)
            }
        }
    }
}

fn dot(row: &[f32], vector: &[f32]) -> f32 {
    row.iter().zip(vector).map(|(a, b)| a * b).sum()
}

impl Quantised {
    fn read(reader: &mut Reader) -> Result<Self, String> {
        let has_norms = reader.flag()?;
        let rows = reader.long_count("rows")?;
        let columns = reader.long_count("columns")?;
        let code_count = reader.count("codes")?;
        let codes = reader.take(code_count)?;
        let vectors = Codebook::read(reader)?;
        if vectors.dimensions != columns || rows.checked_mul(vectors.parts) != Some(code_count) {
            return Err(reader.error(&format!(
                "{code_count} codes for {rows} rows of {columns} numbers in {} parts",
                vectors.parts
            )));
        }
        let norms = if has_norms {
            let codes = reader.take(rows)?;
            let book = Codebook::read(reader)?;
            if book.dimensions != 1 {
                return Err(reader.error("a row has more than one length"));
            }
            Some((codes, book))
        } else {
            None
        };
        Ok(Self {
            rows,
            codes,
            vectors,
            norms,
        })
    }

    fn norm(&self, row: usize) -> f32 {
        match &self.norms {
            Some((codes, book)) => book.centroids[codes[row] as usize],
            None => 1.0,
        }
    }

    fn each_part(&self, row: usize, mut visit: impl FnMut(usize, &[f32])) {
        let book = &self.vectors;
        for (index, &code) in self.codes[row * book.parts..][..book.parts]
            .iter()
            .enumerate()
        {
            let length = if index == book.parts - 1 {
                book.last_part
            } else {
                book.part
            };
            let first = index * CENTROIDS * book.part + code as usize * length;
            visit(index * book.part, &book.centroids[first..first + length]);
        }
    }
}

impl Codebook {
    fn read(reader: &mut Reader) -> Result<Self, String> {
        let dimensions = reader.count("dimensions of the codes")?;
        let parts = reader.count("parts of a code")?;
        let part = reader.count("length of a part")?;
        let last_part = reader.count("length of the last part")?;
        let whole = parts
            .checked_sub(1)
            .and_then(|parts| parts.checked_mul(part)?.checked_add(last_part));
        if dimensions == 0 || whole != Some(dimensions) || last_part > part {
            return Err(reader.error(&format!(
                "{parts} parts of {part} and {last_part} for {dimensions} dimensions"
            )));
        }
        let size = dimensions
            .checked_mul(CENTROIDS)
            .ok_or_else(|| reader.error("too many centroids"))?;
        let centroids = reader.floats(size)?;
        Ok(Self {
            dimensions,
            parts,
            part,
            last_part,
            centroids,
        })
    }
}
