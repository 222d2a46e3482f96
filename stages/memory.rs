//! What the system's allocator does with memory that networks free.

/// Bytes of the largest block that is kept: glibc allows no more.
pub const LARGEST_KEPT: i32 = 32 << 20;

/// Has the system's allocator keep what is freed for what comes next: networks free and ask for megabytes
/// at every layer, and pages that the kernel clears anew each time were a twentieth of their time.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no safe wrapper; the calls only set what malloc does later")]
pub fn keep_freed_memory() {
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Other allocators are left alone.
#[cfg(not(target_env = "gnu"))]
pub fn keep_freed_memory() {}
