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

/* Code of 64 bits (a first byte of 2): the forms that the decoder knows, with prefixes and addresses of each kind. */
static void put_instructions(const char *directory)
{
    static const char *const instructions[] = {
        "\x02\x48\x89\x07",
        "\x02\xf0\x48\x0f\xb1\x0f",
        "\x02\x48\xc7\x84\xc8\x10\x20\x30\x40\x67\x01\x01\x01",
        "\x02\x66\x41\x83\x64\x24\x04\xfd",
        "\x02\x0f\xba\x28\x05",
        "\x02\xf3\x48\xab",
        "\x02\x64\x0f\xc7\x0d\x10\x10\x10\x10",
        "\x02\x48\xa3\x11\x12\x13\x14\x15\x16\x17\x18",
        "\x01\x9a\x11\x12\x13\x14\x19\x01",
        "\x01\x67\x89\x47\x08",
        "\x01\xe6\x80",
        "\x02\x44\x0f\x22\xd8",
    };

    for (unsigned int i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
        put(directory, "instructions", i, instructions[i], strlen(instructions[i]));
}

static void put_configurations(const char *directory)
{
    static const char text[] =
        "# a guest\nname = \"one\"\nkernel = '/guests/vmlinuz'\nextra = \"console=hvc0\"\nmemory = 256\n"
        "maxmem = 512\nvcpus = 2\ncpus = \"0-1,^1\"\ndisk = [ \"/dev/vda,raw,xvda,rw\",\n"
        "  \"format=raw, vdev=xvdb, access=ro, target=/images/x\" ]\nvif = [ 'mac=00:16:3e:00:00:01,"
        "bridge=xenbr0,ip=10.0.0.2', '' ]\non_crash = \"restart\"\nuuid = "
        "\"01234567-89ab-cdef-0123-456789abcdef\"\n\0memory=64";

    static const char disk[] = "disk=['phy:/dev/vda,hda,w']\0vif=['mac=xx']";
    static const char values[] = "a=[1,0x10,'two',[\"three\"]];b=-5\n";

    put(directory, "configurations", 0, text, sizeof(text) - 1);
    put(directory, "configurations", 1, disk, sizeof(disk) - 1);
    put(directory, "configurations", 2, values, sizeof(values) - 1);
}

/* A kernel of one segment with two notes, of either width. */
static void put_kernel(const char *directory, bool wide)
{
    uint8_t file[512] = {0x7f, 'E', 'L', 'F', wide ? 2 : 1, 1, 1};
    uint32_t note[] = {4, 4, 18, 0x6e6558, 0xf5800000, 4, 8, 6, 0x6e6558, 0x656e6567, 0x636972};
    uint16_t *half = (uint16_t *)(file + 16);
    uint64_t where[2][5] = {{0, 0x100000, 0x100000, 512, 4096}, {256, 0x100100, 0x100100, sizeof(note), sizeof(note)}};
    unsigned int header = wide ? 64 : 52, entry = wide ? 56 : 32;

    half[0] = 2;
    half[1] = wide ? 62 : 3;
    *(uint32_t *)(file + 20) = 1;
    *(uint32_t *)(file + 24) = 0x100000;
    *(uint32_t *)(file + (wide ? 32 : 28)) = header;
    half = (uint16_t *)(file + header - 12);
    half[0] = (uint16_t)header;
    half[1] = (uint16_t)entry;
    half[2] = 2;
    for (unsigned int i = 0; i < 2; i++) {
        uint8_t *at = file + header + i * entry;

        *(uint32_t *)at = i == 0 ? 1 : 4;
        *(uint32_t *)(at + (wide ? 4 : 24)) = 7;
        for (unsigned int n = 0; n < 5; n++)
            memcpy(at + (wide ? 8 + n * 8 : 4 + n * 4), &where[i][n], wide ? 8 : 4);
    }
    memcpy(file + 256, note, sizeof(note));
    put(directory, "kernels", wide, file, sizeof(file));
}

/* Steps of tests/fuzz/store.c: who, then a message (type, transaction, length, bytes) or bytes for the ring. */
static void put_store(const char *directory)
{
    static const char messages[] = "\0\x0b\0\x05/a\0b"
                                   "\0"
                                   "\0\x02\0\x03/a\0"
                                   "\0\x04\0\x05/a\0t\0"
                                   "\0\x06\0\x01\0"
                                   "\0\x0b\x01\x06/a/c\0d"
                                   "\0\x07\x01\x02T\0"
                                   "\0\x0d\0\x03/a\0";
    static const char ring[] = "\x02\x15\x08\0\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0\x05\0\0\0/abc\0"
                               "\x02\x10\x01\x05\0\0\0\x0b\0\0\0\x01\0\0\0\0\0\0\0\x7f\0\0\0";

    put(directory, "messages", 0, messages, sizeof(messages) - 1);
    put(directory, "messages", 1, ring, sizeof(ring) - 1);
}

/* Steps of tests/fuzz/netring.c: buffers to receive in, then packets of one and two slots. */
static void put_packets(const char *directory)
{
    static const uint8_t steps[] = {15, 1, 2,  0, 31, 0, 3,  1, 14, 2, 0, 0, 0, 0,   2, 2, 0, 0,    0,    0,
                                    1,  8, 0,  0, 0,  5, 12, 1, 0,  0, 0, 7, 0, 0,   0, 5, 0, 60,   0,    0,
                                    6,  0, 1,  0, 0,  0, 12, 1, 0,  0, 0, 7, 0, 4,   0, 6, 0, 0x40, 0x10, 0,
                                    1,  5, 12, 2, 0,  0, 0,  0, 0,  0, 0, 7, 0, 100, 0, 0, 6, 5,    1};

    put(directory, "packets", 0, steps, sizeof(steps));
}

/* A read of one segment and an indirect write, in the layout of either width. */
static void put_requests(const char *directory)
{
    uint8_t ring[1 + 64 + 8 * 112];

    for (unsigned int wide = 0; wide < 2; wide++) {
        unsigned int entry = wide ? 112 : 108, data = wide ? 24 : 20;

        memset(ring, 0, sizeof(ring));
        ring[0] = (uint8_t)wide;
        for (unsigned int i = 0; i < 6; i++) {
            uint8_t *at = ring + 1 + 64 + i * entry;

            at[0] = i < 5 ? (uint8_t)i : 6;
            at[1] = 1;
            at[data] = (uint8_t)i;
            at[data + 5] = 7;
        }
        put(directory, "requests", wide, ring, sizeof(ring));
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
    put_instructions(argv[1]);
    put_configurations(argv[1]);
    put_kernel(argv[1], false);
    put_kernel(argv[1], true);
    put_store(argv[1]);
    put_packets(argv[1]);
    put_requests(argv[1]);
    return 0;
}
