# The guest that is recorded: the whole firmware of a PC, with no other software. It counts and checks its own memory.
#
# Every vCPU walks through pages of its own, in the same order in each pass. It finds in a page what it wrote there in
# the pass before (the pass's number, twice, and the page's address), and writes the next number. A page that is stale,
# torn, lost or in the wrong place is counted at ERRORS, and printed as "!". The first vCPU prints "." after each pass.
#
# gcc -m32 -nostdlib -static -Wl,--oformat=binary,-Ttext=0,--build-id=none -o guest.bin guest.S
#
# The 4 KiB end at the top of the first MiB: the reset vector is in the last 16 bytes, and other vCPUs start at the first.

        .equ HERE, 0xff000              # where this is in memory
        .equ VCPUS_STARTED, 0x608
        .equ ERRORS, 0x610
        .equ PASSES, 0x620              # of each vCPU, 4 bytes each
        .equ MEMORY, 0x100000           # where the pages are
        .equ CONSOLE, 0xe9

# Before version 9.0 QEMU's TCG does not notice a write through an entry of the TLB that is older than the last time that
# the source read its dirty log (fixed in cpu_physical_memory_sync_dirty_bitmap), and so pages would be stale at the
# destination that no rule of migration is to blame for. A change of CR4 flushes the TLB.
        .macro  flush_tlb
        movl    %cr4, %eax
        xorl    $0x10, %eax
        movl    %eax, %cr4
        .endm

        .text
        .code16
start:  cli
        lgdtl   %cs:gdtr
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $8, $(HERE + flat)

        .code32
flat:   movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $1, %ebp
        lock xaddl %ebp, VCPUS_STARTED  # ebp: which vCPU this is
        testl   %ebp, %ebp
        jnz     walk
        cmpl    $1, HERE + vcpus
        je      walk
        movl    $0x1ff, 0xfee000f0      # switch the interrupt controller on, and start the other vCPUs by it
        movl    $0x000c4500, 0xfee00300
        movl    $1000000, %ecx
1:      pause
        loop    1b
        movl    $0x000c46ff, 0xfee00300

walk:   movl    $1, %ebx                # ebx: the pass
pass:   movl    %ebp, %edx              # edx: which page of the pass this is
page:   cmpl    HERE + pages, %edx
        jae     done
        movl    HERE + pages, %eax
        decl    %eax
        movl    HERE + stride, %esi
        imull   %edx, %esi
        andl    %eax, %esi
        shll    $12, %esi
        addl    $MEMORY, %esi
        cmpl    $1, %ebx
        je      write
        movl    %ebx, %eax
        decl    %eax
        cmpl    %eax, (%esi)
        jne     wrong
        cmpl    %eax, 4092(%esi)
        jne     wrong
        cmpl    %esi, 2048(%esi)
        jne     wrong
write:  flush_tlb
        movl    %ebx, (%esi)
        movl    %esi, 2048(%esi)
        movl    %ebx, 4092(%esi)
        movl    HERE + delay, %ecx
        jecxz   2f
1:      pause
        loop    1b
2:      addl    HERE + vcpus, %edx
        jmp     page

done:   flush_tlb
        movl    %ebx, PASSES(, %ebp, 4)
        incl    %ebx
        testl   %ebp, %ebp
        jnz     pass
        movb    $'.', %al
        outb    %al, $CONSOLE
        jmp     pass

wrong:  flush_tlb
        lock incl ERRORS
        movb    $'!', %al
        outb    %al, $CONSOLE
        jmp     write

        .balign 8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word   23
        .long   HERE + gdt

        .org    0xfc0                   # filled in by guest.py
pages:  .long   512                     # a power of two
vcpus:  .long   1
delay:  .long   0                       # pauses after each page
stride: .long   101                     # odd: from page to page of a pass

        .org    0xff0
        .code16
        ljmp    $0xff00, $0
        .org    0x1000
