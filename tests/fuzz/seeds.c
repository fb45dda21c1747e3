/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * seeds DIRECTORY: streams/, files/, json/ and handovers/ below it, from which the fuzzers start; all of them good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dom0-tools/migration/message.h"
#include "tests/stream/sample.h"

static void put(const char *directory, const char *kind, unsigned int number, const void *data, size_t size)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, kind);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%u", directory, kind, number);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static const char *const configs[] = {
    sample_json,
    "{\"c_info\":{\"type\":\"pv\",\"name\":\"a\",\"uuid\":\"7fb7671c-cc9f-4efd-a89a-c375faf3ed9b\"},\"b_info\":{\"max_"
    "vcpus\":3,"
    "\"avail_vcpus\":[0,1],\"vcpu_hard_affinity\":[[0,2],[1]],\"vcpu_soft_affinity\":[[1]],\"max_memkb\":163840,"
    "\"target_memkb\":114688,\"sched_params\":{\"weight\":256,\"cap\":0},\"max_grant_frames\":32,\"event_channels\":"
    "127,"
    "\"kernel\":\"\\/k\",\"cmdline\":\"\\u00e9\\n\",\"ramdisk\":\"/i\",\"type.pv\":{}}}",
    "{\"c_info\":{\"type\":\"pv\",\"name\":\"b\"},\"b_info\":{\"max_vcpus\":1,\"target_memkb\":4096},\"disks\":[{"
    "\"pdev_path\":"
    "\"/"
    "d\",\"vdev\":\"xvda\",\"format\":\"raw\",\"readwrite\":1,\"trusted\":\"False\"},{\"vdev\":\"hdc\",\"is_cdrom\":1}]"
    ","
    "\"nics\":[{\"devid\":0,\"mac\":\"00:16:3e:00:00:01\",\"bridge\":\"b\",\"mtu\":1500,\"rate_bytes_per_interval\":9,"
    "\"rate_interval_usecs\":9}],\"on_reboot\":\"restart\",\"on_crash\":null,\"paravane\":{\"modules\":[\"/m x\"]}}",
};

/* A conversation: what it is, how long, and then what the peer says. */
static void say(struct memory *memory, uint8_t kind, const struct memory *said)
{
    uint8_t head[3] = {kind, (uint8_t)said->used, (uint8_t)(said->used >> 8)};
    struct byte_sink sink = memory_sink(memory);

    sink.write(sink.own, head, sizeof(head));
    if (said->used > 0)
        sink.write(sink.own, said->data, said->used);
}

static void about(const struct byte_sink *sink, enum message_type type, uint8_t transaction, enum report report)
{
    struct message_about body = {.report = report};

    memset(body.transaction, transaction, sizeof(body.transaction));
    message_write(sink, type, &body, sizeof(body));
}

static void hello(const struct byte_sink *sink, uint8_t incarnation)
{
    struct message_hello body = {.magic = MESSAGE_MAGIC, .version = MESSAGE_VERSION};

    memset(body.incarnation, incarnation, sizeof(body.incarnation));
    message_write(sink, MESSAGE_HELLO, &body, sizeof(body));
}

/* A peer that sends a domain, or takes one; cut short before the last `cut` messages, and settled in another talk. */
static void put_handovers(const char *directory)
{
    for (unsigned int number = 0; number < 8; number++) {
        bool sends = number % 2 == 0, cut = number / 2 % 2 == 1;
        struct message_offer offer = {.memory_kib = 4096, .vcpus = 1, .name = "offered"};
        struct memory all = {0}, talk = {0}, again = {0};
        struct byte_sink sink = memory_sink(&talk), later = memory_sink(&again);

        memset(offer.transaction, 0x77, sizeof(offer.transaction));
        hello(&sink, 0x55);
        if (sends) {
            message_write(&sink, MESSAGE_OFFER, &offer, sizeof(offer));
            message_write(&sink, MESSAGE_DATA, "a stream", 8);
            message_write(&sink, MESSAGE_SENT, "", 0);
        } else {
            about(&sink, MESSAGE_ACCEPTED, 2, REPORT_NOTHING);
            about(&sink, MESSAGE_COMPLETE, 2, REPORT_NOTHING);
        }
        if (!cut)
            about(&sink, sends ? MESSAGE_COMMIT : MESSAGE_RUNNING, sends ? 0x77 : 2, REPORT_NOTHING);
        say(&all, sends ? 0 : 1, &talk);
        hello(&later, number < 4 ? 0x55 : 0x56);
        about(&later, MESSAGE_REPORT, sends ? 0x77 : 2, sends ? REPORT_DOUBT : REPORT_COMPLETE);
        about(&later, sends ? MESSAGE_DISCARD : MESSAGE_DISCARDED, sends ? 0x77 : 2, REPORT_NOTHING);
        say(&all, number < 4 ? 2 : 0, &again);
        put(directory, "handovers", number, all.data, all.used);
        memory_free(&all);
        memory_free(&talk);
        memory_free(&again);
    }
}

int main(int argc, char **argv)
{
    static const struct sample samples[] = {
        {8, 1, 5, 1, false, false},  {4, 1, 5, 1, false, false},  {8, 2, 16, 1, false, false},
        {4, 2, 13, 2, false, false}, {8, 1, 40, 1, false, false}, {8, 1, 8, 1, false, true},
    };

    if (argc != 2)
        return 2;
    mkdir(argv[1], 0777);
    for (unsigned int i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct memory memory = {0};
        uint32_t optional;
        size_t inner;

        sample_write(&memory, &samples[i], sample_json);
        memcpy(&optional, memory.data + 44, sizeof(optional));
        inner = 48 + optional + 24;
        put(argv[1], "files", i, memory.data, memory.used);
        put(argv[1], "streams", i, memory.data + inner, memory.used - inner - 8);
        memory_free(&memory);
    }
    for (unsigned int i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
        put(argv[1], "json", i, configs[i], strlen(configs[i]));
    put_handovers(argv[1]);
    return 0;
}
