//! Where the sums of a product with blocks go.

use crate::element::Element;
use crate::gemm::{Plus, plus_at};
use crate::isa::Isa;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Rows of C, `stride` apart, and what is added to the sums on their way into them, laid out and stored alike or null.
pub struct Place<E> {
    c: *mut E,
    plus: *const E,
    stride: usize,
    /// Elements from the first to the last.
    held: usize,
}

// Threads write different elements.
unsafe impl<E> Sync for Place<E> {}

impl<E: Element> Place<E> {
    /// `rows` rows of `width`; the place is used while `c` and `plus` are there.
    pub fn new(c: &mut [E], plus: Plus, rows: usize, width: usize, stride: usize) -> Self {
        let held = rows.saturating_sub(1) * stride + width;
        assert!(c.len() >= held && width <= stride);
        if let Plus::Rows(rows) = plus {
            assert!(rows.len() >= held);
        }
        Self {
            plus: plus.pointer(c),
            c: c.as_mut_ptr(),
            stride,
            held,
        }
    }

    /// The first `columns` of each of the rows of sums.
    ///
    /// # Safety
    /// Nobody else writes the same elements.
    pub unsafe fn put<const WIDTH: usize>(
        &self,
        isa: Isa,
        row: usize,
        column: usize,
        sums: &[[f32; WIDTH]],
        columns: usize,
    ) {
        let at = row * self.stride + column;
        let last = at + sums.len().saturating_sub(1) * self.stride + columns;
        assert!(columns <= WIDTH && last <= self.held);
        let plus = plus_at(self.plus, at);
        let (from, rows) = (sums.as_ptr() as *const f32, [sums.len(), columns]);
        put_rows(isa, from, WIDTH, rows, self.c.add(at), plus, self.stride);
    }
}

kernels! {
    /// C = x + plus of so many rows and columns.
    fn put_rows<E>(x: *const f32, x_stride: usize, size: [usize; 2], c: *mut E, plus: *const E, stride: usize) = put_rows_body;
}

#[inline(always)]
unsafe fn put_rows_body<S: Simd, E: Element>(
    x: *const f32,
    x_stride: usize,
    [rows, columns]: [usize; 2],
    c: *mut E,
    plus: *const E,
    stride: usize,
) {
    for row in 0..rows {
        let (x, at) = (x.add(row * x_stride), row * stride);
        vectors!(S, columns, |i, n| {
            let mut sum = simd::get::<S>(x.add(i), n);
            if !plus.is_null() {
                sum = S::add(sum, simd::get::<S>(plus.add(at + i), n));
            }
            simd::put::<S>(c.add(at + i), n, sum);
        });
    }
}
