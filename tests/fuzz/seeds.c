/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * seeds DIRECTORY: streams/ and files/ and json/ below it, from which the fuzzers start; all of them good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    return 0;
}
