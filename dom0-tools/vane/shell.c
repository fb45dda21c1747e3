/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The prompt: reads lines, runs them, tells in between what happened to domains meanwhile; and knows what can be
 * completed where.
 */
#include "shell.h"
#include "domains.h"
#include "lifecycle.h"
#include "lineedit.h"
#include "system.h"
#include "words.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int shell_line(struct vane *vane, char *line)
{
    char *argv[WORDS_MAX];
    const char *why;
    int status = 0, count;

    while ((count = words_next(&line, argv, &why)) >= 0) {
        if (count > 0)
            status = vane_run(vane, count, argv);
    }
    if (count == -2)
        status = fail(vane, "%s", why);
    fflush(stdout);
    return status;
}

struct completing {
    void (*add)(void *list, const char *word);
    void *list;
    const char *word;
    size_t length;
};

static void offer(const struct completing *to, const char *word)
{
    if (strncmp(word, to->word, to->length) == 0)
        to->add(to->list, word);
}

static void offer_verbs(const struct completing *to)
{
    for (size_t i = 0; i < verb_count; i++)
        offer(to, verbs[i].name);
}

static void offer_domains(struct vane *vane, const struct completing *to)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;

    infos = list_domains(vane, &count);
    for (unsigned int i = 0; infos != NULL && i < count; i++) {
        char *name = name_of_domain(vane, infos[i].domain);

        if (name != NULL)
            offer(to, name);
        free(name);
    }
    free(infos);
}

/* The word is a path so far: everything in its directory that begins like its last part. */
static void offer_files(const struct completing *to)
{
    char directory[256], path[512];
    struct dirent *entry;
    struct stat status;
    size_t base = to->length;
    DIR *open;

    while (base > 0 && to->word[base - 1] != '/')
        base--;
    if (base >= sizeof(directory))
        return;
    snprintf(directory, sizeof(directory), "%.*s", (int)base, to->word);
    open = opendir(base > 0 ? directory : "/");
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s%s", directory, entry->d_name);
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            strncat(path, "/", sizeof(path) - strlen(path) - 1);
        offer(to, path);
    }
    if (open != NULL)
        closedir(open);
}

/* The verb of the command that the cursor is in, or NULL when the cursor is still in the verb itself. */
static const struct verb *verb_before(const char *line, size_t cursor, size_t start)
{
    char name[32];
    size_t from = start, length;

    while (from > 0 && line[from - 1] != ';')
        from--;
    while (from < cursor && line[from] == ' ')
        from++;
    if (from >= start)
        return NULL;
    length = strcspn(line + from, " ;");
    snprintf(name, sizeof(name), "%.*s", (int)length, line + from);
    return verb_find(name);
}

static bool in_verb(const char *line, size_t start)
{
    while (start > 0 && line[start - 1] == ' ')
        start--;
    return start == 0 || line[start - 1] == ';';
}

static size_t complete_word(void *arg, const char *line, size_t cursor, void (*add)(void *list, const char *word),
                            void *list)
{
    struct completing to = {add, list, line, 0};
    const struct verb *verb;
    size_t start = cursor;

    while (start > 0 && line[start - 1] != ' ' && line[start - 1] != ';')
        start--;
    to.word = line + start;
    to.length = cursor - start;
    verb = verb_before(line, cursor, start);
    if (in_verb(line, start) || (verb != NULL && verb->completes == COMPLETE_VERB))
        offer_verbs(&to);
    else if (verb != NULL && verb->completes == COMPLETE_DOMAIN)
        offer_domains(arg, &to);
    else if (verb != NULL && verb->completes == COMPLETE_FILE)
        offer_files(&to);
    return start;
}

static void write_terminal(void *arg, const char *text, size_t length)
{
    terminal_write(text, length);
}

/*
 * Like a shell's news of background jobs: before the next prompt, never into a line that is being typed; and not to a
 * program, which asked for JSON and wants nothing else.
 */
static void show_notices(const struct vane *vane)
{
    char *notice;

    while (!vane->json && (notice = lifecycle_notice()) != NULL) {
        printf("[%s]\n", notice);
        free(notice);
    }
    fflush(stdout);
}

void shell_run(struct vane *vane)
{
    static struct line_editor editor;
    char buffer[64];

    line_init(&editor, "vane> ", write_terminal, complete_word, vane);
    show_notices(vane);
    line_start(&editor);
    for (;;) {
        size_t got = terminal_read(buffer, sizeof(buffer), UINT64_MAX);

        for (size_t i = 0; i < got; i++) {
            enum line_event event = line_feed(&editor, buffer[i]);

            if (event == LINE_MORE)
                continue;
            if (event == LINE_DONE)
                (void)shell_line(vane, editor.text);
            else if (event == LINE_END)
                printf("\npoweroff turns the machine off.\n");
            lifecycle_check(vane);
            show_notices(vane);
            line_start(&editor);
        }
    }
}
