/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From the first C function to main(). Rule: exceptions are caught before anything else may go wrong, and the console
 * works before anything else may be reported.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include "internal.h"

struct start_info *start_info;

/* The frame behind this page is replaced by the one the hypervisor shares with us. */
static union {
    struct shared_info info;
    char page[4096];
} shared_page __attribute__((aligned(4096)));

struct shared_info *shared_info = &shared_page.info;

void shared_info_map(void)
{
    uint64_t maddr = start_info->shared_info;
    long rc = HYPERVISOR_update_va_mapping((unsigned long)&shared_page, maddr | PTE_KERNEL_RW, UVMF_INVLPG);

    if (rc != 0)
        pv_panic("the shared page at %llx cannot be mapped: %ld\n", (unsigned long long)maddr, rc);
}

void shared_info_unmap(void)
{
    unsigned long mfn = pfn_to_mfn(virt_to_pfn(&shared_page));
    long rc = HYPERVISOR_update_va_mapping((unsigned long)&shared_page, pte_make(mfn, PTE_KERNEL_RW), UVMF_INVLPG);

    if (rc != 0)
        pv_panic("the shared page cannot be unmapped: %ld\n", rc);
}

static unsigned long store_pfn, console_pfn;

void boot_info_to_pfns(void)
{
    store_pfn = start_info->store_mfn != 0 ? mfn_to_pfn(start_info->store_mfn) : 0;
    console_pfn = start_info->console.domU.mfn != 0 ? mfn_to_pfn(start_info->console.domU.mfn) : 0;
    start_info->store_mfn = store_pfn;
    start_info->console.domU.mfn = console_pfn;
}

/* The pages themselves are the same as before, whoever wrote here meanwhile. */
void boot_info_to_mfns(void)
{
    start_info->store_mfn = store_pfn != 0 ? pfn_to_mfn(store_pfn) : 0;
    start_info->console.domU.mfn = console_pfn != 0 ? pfn_to_mfn(console_pfn) : 0;
}

/* Splits the command line in place; double quotes keep blanks inside a word. */
static int split_words(char *text, char **words, int max)
{
    int count = 0;

    while (count < max - 1) {
        char *out;
        bool quoted = false;

        while (*text == ' ' || *text == '\t')
            text++;
        if (*text == '\0')
            break;
        out = words[count++] = text;
        for (; *text != '\0' && (quoted || (*text != ' ' && *text != '\t')); text++) {
            if (*text == '"')
                quoted = !quoted;
            else
                *out++ = *text;
        }
        if (*text != '\0')
            text++;
        *out = '\0';
    }
    words[count] = NULL;
    return count;
}

static void run_constructors(void)
{
    extern void (*__init_array_start[])(void), (*__init_array_end[])(void);

    for (void (**fn)(void) = __init_array_start; fn < __init_array_end; fn++)
        (*fn)();
}

static void start_main(void)
{
    static char words_text[MAX_GUEST_CMDLINE];
    static char name[] = "kernel", *argv[64] = {name};
    int argc;

    memcpy(words_text, pv_command_line(), strlen(pv_command_line()) + 1);
    argc = 1 + split_words(words_text, argv + 1, ARRAY_SIZE(argv) - 1);
    run_constructors();
    exit(main(argc, argv));
}

void pv_start(struct start_info *info)
{
    start_info = info;
    traps_init();
    p2m_init();
    console_init_early();
    shared_info_map();
    p2m_publish();
    events_init();
    pages_init();
    time_init();
    threads_init();
    console_init();
    irq_enable();
    if (info->mod_len != 0 && info->mod_start != 0)
        fs_init((const void *)(unsigned long)info->mod_start, info->mod_len);
    if (!pv_is_dom0() && info->store_mfn != 0)
        services_start();
    start_main();
}

bool pv_is_dom0(void)
{
    return (start_info->flags & SIF_INITDOMAIN) != 0;
}

const char *pv_command_line(void)
{
    start_info->cmd_line[MAX_GUEST_CMDLINE - 1] = '\0';
    return (const char *)start_info->cmd_line;
}

const char *pv_option(const char *name)
{
    static char found[MAX_GUEST_CMDLINE];
    size_t length = strlen(name);
    const char *word = pv_command_line();

    while (*word != '\0') {
        size_t size = strcspn(word, " \t");

        if (size > length && strncmp(word, name, length) == 0 && word[length] == '=') {
            memcpy(found, word + length + 1, size - length - 1);
            found[size - length - 1] = '\0';
            return found;
        }
        word += size;
        word += strspn(word, " \t");
    }
    return NULL;
}

unsigned long pv_option_number(const char *name, unsigned long otherwise)
{
    const char *text = pv_option(name);
    unsigned long value;
    char *end;

    if (text == NULL)
        return otherwise;
    value = strtoul(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
    if (*text != '\0' && *end == '\0')
        return value;
    printf("%s=%s is not a number, using %lu\n", name, text, otherwise);
    return otherwise;
}

static domid_t known = DOMID_INVALID;

void pv_domid_forget(void)
{
    known = DOMID_INVALID;
}

/* A port bound to ourselves knows whom it belongs to. */
domid_t pv_domid(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_status status = {.dom = DOMID_SELF};
    struct evtchn_close close;

    if (known != DOMID_INVALID)
        return known;
    if (HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc) != 0)
        return pv_is_dom0() ? 0 : DOMID_INVALID;
    status.port = close.port = alloc.port;
    if (HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) == 0)
        known = status.u.unbound.dom;
    HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
    return known;
}
