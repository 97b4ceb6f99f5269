//! Rows of a table by id, and the sum back into the table; rows into a cache.

use crate::context::{Context, Shared};
use crate::element::Element;
use crate::elementwise::convert;

/// y[i] = table[ids[i]]; zeros for an id that is not in the table.
pub fn gather_rows(context: &Context, table: &[f32], ids: &[i32], y: &mut [f32], columns: usize) {
    assert!(y.len() == ids.len() * columns);
    let out = Shared::new(y);
    context.split(ids.len(), columns, &|from, to| unsafe {
        for i in from..to {
            let y = out.part(i * columns, (i + 1) * columns);
            match row_of(table, ids[i], columns) {
                Some(row) => y.copy_from_slice(row),
                None => y.fill(0.0),
            }
        }
    });
}

/// dtable[ids[i]] += dy[i] in the order of i; with `add` false the table is cleared first. Threads share the columns,
/// so every sum has one order.
pub fn scatter_rows(
    context: &Context,
    dy: &[f32],
    ids: &[i32],
    dtable: &mut [f32],
    columns: usize,
    add: bool,
) {
    assert!(
        dy.len() == ids.len() * columns && (columns == 0 || dtable.len().is_multiple_of(columns))
    );
    if columns == 0 {
        return;
    }
    let rows = dtable.len() / columns;
    let out = Shared::new(dtable);
    if !add {
        context.split(rows, columns, &|from, to| unsafe {
            out.part(from * columns, to * columns).fill(0.0)
        });
    }
    const LINE: usize = 32;
    context.split(
        columns.div_ceil(LINE),
        ids.len() * LINE,
        &|from, to| unsafe {
            let (from, to) = (from * LINE, (to * LINE).min(columns));
            for (i, &id) in ids.iter().enumerate() {
                if id < 0 || id as usize >= rows {
                    continue;
                }
                let row = id as usize * columns;
                let line = &dy[i * columns + from..i * columns + to];
                out.part(row + from, row + to)
                    .iter_mut()
                    .zip(line)
                    .for_each(|(to, x)| *to += x);
            }
        },
    );
}

/// Rows of a batch, their wanted part `width` elements from `offset` on in rows of `stride`.
#[derive(Clone, Copy)]
pub struct Columns {
    pub batch: usize,
    pub time: usize,
    pub width: usize,
    pub stride: usize,
    pub offset: usize,
}

/// cache[b, at + t] = the wanted part of rows[b, t], converted where they are stored otherwise.
pub fn write_rows<A: Element, B: Element>(
    context: &Context,
    cache: &mut [B],
    rows: &[A],
    columns: Columns,
    at: usize,
) {
    let Columns {
        batch,
        time,
        width,
        stride,
        offset,
    } = columns;
    if batch == 0 || width == 0 {
        return;
    }
    let capacity = cache.len() / batch;
    assert!((at + time) * width <= capacity && offset + width <= stride);
    assert!(rows.len() >= batch * time * stride);
    let out = Shared::new(cache);
    context.split(batch * time, width, &|from, to| unsafe {
        for row in from..to {
            let (b, t) = (row / time, row % time);
            let line = &rows[row * stride + offset..][..width];
            let place = b * capacity + (at + t) * width;
            convert(context.isa, line, out.part(place, place + width));
        }
    });
}

fn row_of(table: &[f32], id: i32, columns: usize) -> Option<&[f32]> {
    let start = usize::try_from(id).ok()?.checked_mul(columns)?;
    table.get(start..start + columns)
}
