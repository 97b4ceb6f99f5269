//! Rows of a table by id, and the sum back into the table.

use crate::context::{Context, Shared};

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

fn row_of(table: &[f32], id: i32, columns: usize) -> Option<&[f32]> {
    let start = usize::try_from(id).ok()?.checked_mul(columns)?;
    table.get(start..start + columns)
}
