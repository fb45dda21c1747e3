/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bare entries and user-mode code, see raw32.S and raw64.S.
 */
#ifndef TESTS_GUESTS_RAW_H
#define TESTS_GUESTS_RAW_H

extern unsigned long raw_frame[12]; /* the words from the stack pointer up at the last entry */
extern unsigned long raw_sp;        /* that stack pointer */
extern unsigned long raw_count;     /* how many entries so far */
extern unsigned long raw_has_error; /* set when the tested vector pushes an error code */
extern unsigned long raw_skip;      /* how far behind the reported address to resume */

void raw_return(void);
void raw_upcall(void);
void raw_escape(void);
void raw_user_run(void *code, void *stack, unsigned long flags, unsigned long iret_flags);
extern unsigned long raw_user_cs, raw_user_ss; /* what raw_user_run enters with */

extern char raw_vectors[][16];   /* entries like raw_escape, one for each number, */
extern unsigned long raw_vector; /* which they leave here */

unsigned long raw_ud2(unsigned long *flags);

extern char raw_ud2_at[];
extern char user_breakpoint[], user_fault[], user_undefined[], user_int80[], user_spin[];
#ifdef __x86_64__
extern char user_syscall[], user_syscall_wide[];
extern unsigned long raw_ax; /* rax at the last entry by raw_escape */
#endif

/* Position of the words in raw_frame, without the error code that may sit before RAW_IP. */
#ifdef __x86_64__
enum { RAW_CX, RAW_R11, RAW_IP, RAW_CS, RAW_FLAGS, RAW_SP, RAW_SS };
#define RAW_ERROR     RAW_IP
#define RAW_MASK_BITS 32
#else
enum { RAW_IP, RAW_CS, RAW_FLAGS, RAW_SP, RAW_SS };
#define RAW_ERROR     RAW_IP
#define RAW_MASK_BITS 16
#endif

/* raw(RAW_IP, true) is the word behind the error code. */
static inline unsigned long raw(int word, int behind_error)
{
    return raw_frame[word + (behind_error != 0)];
}

#endif
