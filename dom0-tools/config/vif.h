/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One network interface as xl-network-configuration(5) writes it: "mac=00:16:3e:00:00:01,bridge=xenbr0,rate=10Mb/s".
 */
#ifndef CONFIG_VIF_H
#define CONFIG_VIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIF_DEFAULT_BRIDGE "xenbr0"
#define VIF_DEFAULT_SCRIPT "/etc/xen/scripts/vif-bridge"
#define VIF_ID_MAX         63
#define VIFS_MAX           64
#define VIF_MTU_MIN        68
#define VIF_MTU_MAX        65500

struct vif_config {
    bool has_mac, has_id, untrusted;
    uint8_t mac[6];
    unsigned int id;
    char bridge[32], name[32]; /* name: of the switch's port, "": after domain and id */
    char script[64], ip[64];   /* kept in the store for whoever looks; without effect here */
    unsigned int mtu;          /* 0: not given */
    uint64_t rate_bytes;       /* for each interval; 0: unlimited */
    uint32_t rate_interval_us;
};

/* 0, or -1 with the reason as a sentence without end. */
int vif_config_parse(const char *text, struct vif_config *vif, char reason[160]);

/* "00:16:3e:...": `random` fills in what has_mac does not give. */
void vif_config_make_mac(struct vif_config *vif, uint32_t random);

bool vif_mac_parse(const char *text, uint8_t mac[6]);
void vif_mac_format(const uint8_t mac[6], char text[18]);

#endif
