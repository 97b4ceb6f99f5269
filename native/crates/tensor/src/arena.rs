//! The memory of tensors: a step arena that is used again step after step, and blocks of their own for what lives on.

const HUGE_PAGE: usize = 2 << 20;
/// No page of a system is larger, huge ones aside. A block ends with small pages: a rest of 2 MB that nobody needs is
/// a seventh of a matrix of SmolLM2-135M.
const PAGE: usize = 64 << 10;
const LINE: usize = 16;

/// Memory for `len` f32 (or as many bytes of something else), aligned to 64 bytes; a large one to 2 MB, in huge pages
/// where the system has them.
pub struct Block {
    pointer: *mut f32,
    length: usize,
    bytes: usize,
}

unsafe impl Send for Block {}

impl Block {
    /// Zeroed memory. The system gives the pages of a large block when they are first touched.
    pub fn new(length: usize) -> Self {
        let unit = if is_large(length * 4) { PAGE } else { 64 };
        let bytes = (length * 4).max(64).next_multiple_of(unit);
        let layout = layout(bytes);
        let pointer = if is_large(bytes) {
            map(layout)
        } else {
            unsafe { std::alloc::alloc_zeroed(layout) }
        };
        if pointer.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Self {
            pointer: pointer as *mut f32,
            length,
            bytes,
        }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn as_ptr(&self) -> *mut f32 {
        self.pointer
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn is_large(bytes: usize) -> bool {
    bytes >= HUGE_PAGE
}

fn alignment(bytes: usize) -> usize {
    if is_large(bytes) { HUGE_PAGE } else { 64 }
}

fn layout(bytes: usize) -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(bytes, alignment(bytes))
        .expect("a tensor is far smaller than the address space")
}

/// Zeroed pages, from a multiple of 2 MB on, straight from the system; null where it has none.
#[cfg(unix)]
fn map(layout: std::alloc::Layout) -> *mut u8 {
    let (bytes, align) = (layout.size(), layout.align());
    unsafe {
        // Longer by the alignment, of which what is not needed goes back.
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes + align,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        );
        if start == libc::MAP_FAILED {
            return std::ptr::null_mut();
        }
        let before = (start as usize).next_multiple_of(align) - start as usize;
        let block = (start as *mut u8).add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        if before < align {
            libc::munmap(block.add(bytes) as *mut libc::c_void, align - before);
        }
        #[cfg(target_os = "linux")]
        libc::madvise(block as *mut libc::c_void, bytes, libc::MADV_HUGEPAGE);
        block
    }
}

#[cfg(not(unix))]
fn map(layout: std::alloc::Layout) -> *mut u8 {
    unsafe { std::alloc::alloc_zeroed(layout) }
}

impl Drop for Block {
    fn drop(&mut self) {
        unsafe {
            #[cfg(unix)]
            if is_large(self.bytes) {
                libc::munmap(self.pointer as *mut libc::c_void, self.bytes);
                return;
            }
            std::alloc::dealloc(self.pointer as *mut u8, layout(self.bytes));
        }
    }
}

/// Hands out pieces of a few large blocks, best fit, neighbours merged when they come back. When all pieces are back
/// after a step that needed more than one block, the next step gets one block of the whole size: a loop of equal
/// steps soon allocates nothing.
#[derive(Default)]
pub struct Arena {
    blocks: Vec<Block>,
    /// (block, offset, length), sorted; neighbours are never both free.
    free: Vec<(usize, usize, usize)>,
    used: usize,
    peak: usize,
}

/// A piece of the arena; `offset` and `length` in elements.
#[derive(Clone, Copy)]
pub struct Piece {
    block: usize,
    offset: usize,
    length: usize,
}

const SMALLEST_BLOCK: usize = 4 << 20;

impl Arena {
    pub fn allocate(&mut self, length: usize) -> Piece {
        let length = length.max(1).next_multiple_of(LINE);
        let fitting = self
            .free
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.2 >= length);
        let best = fitting.min_by_key(|(_, piece)| piece.2).map(|(at, _)| at);
        let at = best.unwrap_or_else(|| self.grow(length));
        let (block, offset, available) = self.free[at];
        if available == length {
            self.free.remove(at);
        } else {
            self.free[at] = (block, offset + length, available - length);
        }
        self.used += length;
        self.peak = self.peak.max(self.used);
        Piece {
            block,
            offset,
            length,
        }
    }

    pub fn release(&mut self, piece: Piece) {
        self.used -= piece.length;
        let at = self
            .free
            .partition_point(|&(block, offset, _)| (block, offset) < (piece.block, piece.offset));
        self.free
            .insert(at, (piece.block, piece.offset, piece.length));
        self.merge(at);
        if at > 0 {
            self.merge(at - 1);
        }
    }

    pub fn pointer(&self, piece: Piece) -> *mut f32 {
        unsafe { self.blocks[piece.block].as_ptr().add(piece.offset) }
    }

    /// After the last piece of a step came back: several blocks become one.
    pub fn settle(&mut self) {
        if self.used > 0 || self.blocks.len() < 2 {
            return;
        }
        let total = self.blocks.iter().map(Block::len).sum();
        self.blocks.clear();
        self.free.clear();
        self.add_block(total);
    }

    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum()
    }

    pub fn peak_bytes(&self) -> usize {
        self.peak * 4
    }

    fn merge(&mut self, at: usize) {
        if let (Some(&(block, offset, length)), Some(&(next, next_offset, next_length))) =
            (self.free.get(at), self.free.get(at + 1))
            && block == next
            && offset + length == next_offset
        {
            self.free[at].2 += next_length;
            self.free.remove(at + 1);
        }
    }

    fn grow(&mut self, length: usize) -> usize {
        let held: usize = self.blocks.iter().map(Block::len).sum();
        self.add_block(length.max(SMALLEST_BLOCK).max(held / 4))
    }

    fn add_block(&mut self, length: usize) -> usize {
        let length = length.next_multiple_of(HUGE_PAGE / 4);
        self.blocks.push(Block::new(length));
        self.free.push((self.blocks.len() - 1, 0, length));
        self.free.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Arena;

    #[test]
    fn equal_steps_soon_allocate_nothing_and_pieces_never_overlap() {
        let mut arena = Arena::default();
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let pieces: Vec<_> = (1..200).map(|i| arena.allocate(i * 977)).collect();
            let mut spans: Vec<_> = pieces
                .iter()
                .map(|p| (arena.pointer(*p) as usize, p.length * 4))
                .collect();
            spans.sort();
            assert!(
                spans
                    .windows(2)
                    .all(|pair| pair[0].0 + pair[0].1 <= pair[1].0)
            );
            for piece in pieces
                .iter()
                .step_by(2)
                .chain(pieces.iter().skip(1).step_by(2))
            {
                arena.release(*piece);
            }
            arena.settle();
            sizes.push(arena.bytes());
        }
        assert_eq!(sizes[1], sizes[4]);
        assert_eq!(arena.free.len(), 1);
    }
}
