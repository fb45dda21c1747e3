/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The smallest useful guest: says where it runs, tries a few things every program needs, and powers off. The lines
 * before "now:" are the same on every run and under every hypervisor of this ABI.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/time.h>

static unsigned int code_selector(void)
{
    unsigned int cs;

    __asm__("mov %%cs, %0" : "=r"(cs));
    return cs & 0xffff;
}

static void print_place(void)
{
    unsigned int cs = code_selector();

    printf("hello: a %u-bit guest in ring %u, code selector %04x\n", (unsigned int)sizeof(long) * 8, cs & 3, cs);
    printf("hello: this is dom%u\n", pv_domid());
    printf("hello: %lu pages, %lu MiB\n", balloon_current(), balloon_current() >> (20 - PAGE_SHIFT));
}

static void print_arguments(int argc, char **argv)
{
    printf("hello: command line \"%s\"\n", pv_command_line());
    for (int i = 1; i < argc; i++)
        printf("hello: argument %d is \"%s\"\n", i, argv[i]);
}

/* What `modules` of the configuration brought: a list of offsets into one package, whose end has no start. */
static void print_modules(void)
{
    const char *package = (const char *)(uintptr_t)start_info->mod_start;
    const struct xen_multiboot_mod_list *module = (const void *)package;

    if ((start_info->flags & SIF_MULTIBOOT_MOD) == 0)
        return;
    for (; module->mod_start != 0; module++) {
        const char *contents = package + module->mod_start;
        uint32_t size = module->mod_end + 1 - module->mod_start, sum = 0;

        for (uint32_t i = 0; i < size; i++)
            sum += (uint8_t)contents[i];
        printf("hello: module \"%s\", %" PRIu32 " bytes, sum %" PRIu32 "\n", package + module->cmdline, size, sum);
    }
}

static void print_hypervisor(void)
{
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);

    printf("hello: the hypervisor speaks Xen %ld.%ld\n", version >> 16, version & 0xffff);
}

static int compare(const void *a, const void *b)
{
    const int *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Memory, arithmetic and the library, in one line that is wrong if any of them is. */
static void print_work(void)
{
    enum { COUNT = 1000 };
    int *numbers = malloc(COUNT * sizeof(*numbers));
    uint64_t product = 1;
    unsigned int seed = 1;

    if (numbers == NULL) {
        printf("hello: no memory for %u numbers\n", (unsigned int)COUNT);
        return;
    }
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525 + 1013904223;
        numbers[i] = (int)(seed >> 16) % 1000;
    }
    qsort(numbers, COUNT, sizeof(*numbers), compare);
    for (unsigned int i = 2; i <= 20; i++)
        product *= i;
    printf("hello: median %d, 20! = %" PRIu64 ", 22/7 = %.4f\n", numbers[COUNT / 2], product, 22.0 / 7.0);
    free(numbers);
}

static void print_time(void)
{
    struct timespec now;
    struct tm tm;
    char text[40];

    time_wallclock(&now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("now: %s, %" PRIu64 " us after the hypervisor's start\n", text, time_monotonic_ns() / 1000);
}

int main(int argc, char **argv)
{
    print_place();
    print_arguments(argc, argv);
    print_modules();
    print_hypervisor();
    print_work();
    print_time();
    printf("hello: powering off\n");
    return 0;
}
