/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs on the building machine: writes vane's manual page in scdoc's form, its commands from the same table as help.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define VERB(name, handler, arguments, summary, help, completes) {name, arguments, summary, help},

static const struct {
    const char *name, *arguments, *summary, *help;
} verbs[] = {
#include "dom0-tools/vane/verbs.def"
};

/* Keeps scdoc from seeing markup in our text; words in capitals are what the user replaces. */
static void put(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        size_t end = i;

        while (end < length && isupper((unsigned char)text[end]))
            end++;
        if (end - i > 1 && (end == length || !isalnum((unsigned char)text[end])) &&
            (i == 0 || !isalnum((unsigned char)text[i - 1]))) {
            printf("_%.*s_", (int)(end - i), text + i);
            i = end - 1;
            continue;
        }
        if (strchr("\\*_#[<", text[i]) != NULL)
            putchar('\\');
        putchar(text[i]);
    }
}

/* "-c, --console   stay at its console" */
static void put_option(const char *line, size_t length)
{
    const char *gap = strstr(line, "   ");
    size_t name = gap != NULL && (size_t)(gap - line) < length ? (size_t)(gap - line) : length;
    size_t text = name;

    while (text < length && line[text] == ' ')
        text++;
    printf("*%.*s*\n\t", (int)name, line);
    put(line + text, length - text);
    printf("\n\n");
}

static void put_help(const char *help)
{
    while (*help != '\0') {
        size_t length = strcspn(help, "\n");

        if (length > 0 && help[0] == '-') {
            put_option(help, length);
        } else if (length > 0) {
            put(help, length);
            printf("\n\n");
        }
        help += length + (help[length] != '\0');
    }
}

/* What a configuration may say; the reader of the settings (dom0-tools/config/domain_config.c) has the last word. */
static const struct {
    const char *key, *text;
} settings[] = {
    {"name", "The domain's name. Required."},
    {"kernel",
     "The kernel's file: an ELF image of either width for Xen's PV interface, also packed with gzip, or a Linux "
     "bzImage with a gzip or LZ4 payload; the packer of the RAM disk makes LZ4 of the other packings. Required."},
    {"ramdisk", "One module, an initramfs for Linux, handed over as it is."},
    {"modules",
     "A list of modules; behind a blank each may have a command line. They arrive as one package with a list in "
     "front (SIF\\_MULTIBOOT\\_MOD)."},
    {"cmdline, root, extra", "The kernel's command line: *cmdline* alone, or root=ROOT and *extra*."},
    {"memory, maxmem", "MiB at the start, and at most."},
    {"vcpus, maxvcpus", "Virtual CPUs online at the start, and in all: at most 32."},
    {"cpus, cpus\\_soft",
     "Where they may run, and would rather run: \"0-3,^2\", or for *cpus* a list with one text for "
     "each vCPU."},
    {"cpu\\_weight, cap", "As for sched-credit2."},
    {"uuid", "The domain's UUID; random when missing."},
    {"on\\_poweroff, on\\_reboot, on\\_crash, on\\_watchdog",
     "What to do when it ends: *destroy*, *restart*, *rename-restart* or *preserve*; *coredump-destroy* and "
     "*coredump-restart* first write a core file into /tmp/dump. The default is destroy, for a "
     "reboot "
     "restart."},
    {"disk", "A list of disks: \"TARGET,raw,VDEV,ACCESS\", as xl-disk-configuration(5) has it. TARGET is a file of the "
             "RAM disk "
             "or of /tmp, or a disk of the machine, which *devices* lists."},
    {"vif",
     "A list of network interfaces: \"mac=ADDRESS,bridge=NAME,rate=10Mb/s\", as xl-network-configuration(5) has it; "
     "\"\" is enough."},
    {"max\\_grant\\_frames, max\\_maptrack\\_frames, max\\_grant\\_version, max\\_event\\_channels",
     "Limits of the domain."},
};

static void put_settings(void)
{
    printf(
        "# CONFIGURATION\n\nA file of *key = value* lines in xl.cfg's syntax: strings in either quotes, numbers, lists "
        "in brackets, comments after #, ; between settings on one line, += to extend. A mistake is reported with its "
        "file, line and column, an unknown key with the nearest one. Keys of xl.cfg that have no effect here are "
        "accepted with a note.\n\n");
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        printf("*%s*\n\t%s\n\n", settings[i].key, settings[i].text);
}

int main(void)
{
    printf(
        "vane(1) \"Paravane\" \"Paravane manual\"\n\n# NAME\n\nvane - create and manage domains on Paravane\n\n"
        "# SYNOPSIS\n\n*vane>* _COMMAND_ \\[--json\\] \\[_ARGUMENT_ ...\\] \\[; _COMMAND_ ...\\]\n\n"
        "# DESCRIPTION\n\n"
        "vane is the command line of Paravane's control domain. The embedded domain 0 shows its prompt on the serial "
        "console. Commands, options, columns and configuration files are those of *xl*(1) and *xl.cfg*(5) where both "
        "have them.\n\n"
        "_DOMAIN_ is the name or the id of a domain. With *--json* every command gives its result as one JSON value, "
        "and an error as an object with the one key \"error\".\n\n"
        "A line may hold several commands with ; between them. Words with blanks take single or double quotes. Tab "
        "completes commands, domains and files; the arrow keys, Home, End and the control keys A E B F P N K U W L "
        "edit the line as usual.\n\n"
        "# COMMANDS\n\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        printf("## ");
        printf("%s", verbs[i].name);
        printf("\n\n*%s* ", verbs[i].name);
        put(verbs[i].arguments, strlen(verbs[i].arguments));
        printf("\n\n%c", toupper((unsigned char)verbs[i].summary[0]));
        put(verbs[i].summary + 1, strlen(verbs[i].summary) - 1);
        printf(".\n\n");
        put_help(verbs[i].help);
    }
    put_settings();
    printf(
        "# FILES\n\n*/examples*\n\tConfigurations to try.\n\n*/boot*\n\tKernels.\n\n*/guests*\n\tWhat was added with "
        "make GUESTS=DIRECTORY.\n\n"
        "# DOMAIN 0'S COMMAND LINE\n\n*vane.run=*_COMMAND_; _COMMAND_ ...\n\tThe rest of the line is run before the "
        "first prompt.\n\n"
        "# SEE ALSO\n\n*xl*(1), *xl.cfg*(5)\n");
    return 0;
}
