/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See guest_faults.h. The table is a section of this program, found by its name in the program's file.
 */
#undef logf
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>
#include "guest_faults.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

unsigned guest_faults;
static const int (*table)[2]; /* each relative to itself: the instruction, and where to go on */
static size_t entries;

static void find_table(const char *file)
{
    const Elf64_Ehdr *header = (const void *)file;
    const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);
    const char *names = file + sections[header->e_shstrndx].sh_offset;

    for (unsigned i = 0; i < header->e_shnum; i++)
        if (strcmp(names + sections[i].sh_name, ".ex_table") == 0) {
            table = (const void *)(__ehdr_start + sections[i].sh_addr);
            entries = sections[i].sh_size / sizeof(*table);
        }
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

    for (size_t i = 0; i < entries; i++)
        if ((greg_t)&table[i][0] + table[i][0] == *rip) {
            *rip = (greg_t)&table[i][1] + table[i][1];
            guest_faults++;
            return;
        }
    signal(signal_number, SIG_DFL); /* a bug: it comes again */
}

void guest_faults_catch(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    int fd = open("/proc/self/exe", O_RDONLY);
    struct stat st;
    char *file;

    ck_assert(fd >= 0 && fstat(fd, &st) == 0);
    file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert(file != MAP_FAILED);
    close(fd);
    find_table(file);
    munmap(file, (size_t)st.st_size);
    ck_assert_ptr_nonnull(table);
    guest_faults = 0;
    sigaction(SIGSEGV, &action, NULL);
}
