/* link: connect/ngx_egress_pick.c connect/ngx_egress_jump.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * The policies of a choice: shares by weight, stability, and an order that
 * holds each node once.
 */


#include "unit.h"

#include "connect/ngx_egress_pick.h"


#define KEYS  20000


static ngx_egress_pick_node_t  nodes[100];
static ngx_str_t               names[100];


/* the only thing the policies want from the core */

void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return malloc(size);
}


static void
pick_make(ngx_egress_pick_t *pick, ngx_uint_t policy, ngx_uint_t n,
    const ngx_uint_t *weights)
{
    char        text[32];
    ngx_uint_t  i;

    memset(pick, 0, sizeof(*pick));
    memset(nodes, 0, sizeof(nodes));

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "node-%u.test:80", (unsigned) i);

        free(names[i].data);
        names[i].data = (u_char *) strdup(text);
        names[i].len = strlen(text);

        nodes[i].name = names[i];
        nodes[i].weight = weights ? weights[i] : 1;
    }

    pick->policy = policy;
    pick->nodes = nodes;
    pick->n = n;

    CHECK_INT(ngx_egress_pick_init(pick, NULL), NGX_OK);
}


static ngx_uint_t
pick_first(ngx_egress_pick_t *pick, ngx_uint_t key)
{
    char        text[32];
    ngx_str_t   s;
    ngx_uint_t  order[NGX_EGRESS_PICK_MAX];

    s.data = (u_char *) text;
    s.len = snprintf(text, sizeof(text), "key-%u", (unsigned) key);

    ngx_egress_pick(pick, &s, order);

    return order[0];
}


/* the share of each node is within a tenth of its weight's */

static void
check_shares(ngx_uint_t policy, double slack)
{
    double             share, want;
    ngx_uint_t         i, count[4];
    ngx_egress_pick_t  pick;
    const ngx_uint_t   weights[] = { 1, 2, 3, 4 };

    pick_make(&pick, policy, 4, weights);
    memset(count, 0, sizeof(count));

    for (i = 0; i < KEYS; i++) {
        count[pick_first(&pick, i)]++;
    }

    for (i = 0; i < 4; i++) {
        share = (double) count[i] / KEYS;
        want = (double) weights[i] / 10;

        CHECK(share > want * (1 - slack) && share < want * (1 + slack));
    }

    free(pick.ring);
}


static void
test_shares(void)
{
    check_shares(NGX_EGRESS_PICK_RANDOM, 0.1);
    check_shares(NGX_EGRESS_PICK_ROUND_ROBIN, 0.001);
    check_shares(NGX_EGRESS_PICK_RENDEZVOUS, 0.1);
    check_shares(NGX_EGRESS_PICK_JUMP_HASH, 0.1);
    check_shares(NGX_EGRESS_PICK_KETAMA, 0.25);
}


static void
test_serial(void)
{
    ngx_str_t          key = ngx_string("x");
    ngx_uint_t         order[NGX_EGRESS_PICK_MAX];
    ngx_egress_pick_t  pick;
    const ngx_uint_t   weights[] = { 1, 3, 3, 2 };

    pick_make(&pick, NGX_EGRESS_PICK_SERIAL, 4, weights);

    CHECK_INT(ngx_egress_pick(&pick, &key, order), 4);
    CHECK_INT(order[0], 1);
    CHECK_INT(order[1], 2);
    CHECK_INT(order[2], 3);
    CHECK_INT(order[3], 0);
}


static void
test_order(void)
{
    ngx_str_t          key = ngx_string("some key");
    ngx_uint_t         policy, i, k, n, want;
    ngx_uint_t         order[NGX_EGRESS_PICK_MAX];
    ngx_egress_pick_t  pick;

    for (policy = 0; policy <= NGX_EGRESS_PICK_JUMP_HASH; policy++) {
        for (n = 1; n <= 20; n++) {

            pick_make(&pick, policy, n, NULL);

            want = n < NGX_EGRESS_PICK_MAX ? n : NGX_EGRESS_PICK_MAX;

            CHECK_INT(ngx_egress_pick(&pick, &key, order), want);

            for (i = 0; i < want; i++) {
                CHECK(order[i] < n);

                for (k = 0; k < i; k++) {
                    CHECK(order[i] != order[k]);
                }
            }

            free(pick.ring);
        }
    }
}


/* a node that is added takes its share, and nothing moves between others */

static void
check_stable(ngx_uint_t policy, double most)
{
    ngx_uint_t         i, now, moved, strayed;
    static ngx_uint_t  before[KEYS];
    ngx_egress_pick_t  pick;

    pick_make(&pick, policy, 9, NULL);

    for (i = 0; i < KEYS; i++) {
        before[i] = pick_first(&pick, i);
    }

    free(pick.ring);
    pick_make(&pick, policy, 10, NULL);

    moved = 0;
    strayed = 0;

    for (i = 0; i < KEYS; i++) {
        now = pick_first(&pick, i);

        if (now != before[i]) {
            moved++;
            strayed += (now != 9);
        }
    }

    free(pick.ring);

    CHECK(moved > 0 && moved < KEYS * most);
    CHECK_INT(strayed, 0);
}


static void
test_stable(void)
{
    check_stable(NGX_EGRESS_PICK_RENDEZVOUS, 0.12);
    check_stable(NGX_EGRESS_PICK_JUMP_HASH, 0.12);
    check_stable(NGX_EGRESS_PICK_KETAMA, 0.15);
}


/* these decide which way clients leave: they must never change */

static void
test_known(void)
{
    ngx_uint_t         i;
    ngx_egress_pick_t  pick;
    const ngx_uint_t   want[3][8] = {
        { 6, 5, 3, 9, 3, 4, 2, 1 },   /* ketama */
        { 4, 6, 5, 3, 4, 3, 5, 8 },   /* rendezvous */
        { 9, 6, 8, 6, 3, 2, 0, 0 }    /* jump_hash */
    };

    for (i = 0; i < 24; i++) {
        pick_make(&pick, NGX_EGRESS_PICK_KETAMA + i / 8, 10, NULL);
        CHECK_INT(pick_first(&pick, i % 8), want[i / 8][i % 8]);
        free(pick.ring);
    }
}


static void
test_large(void)
{
    ngx_uint_t         i, weights[100];
    ngx_egress_pick_t  pick;

    for (i = 0; i < 100; i++) {
        weights[i] = NGX_EGRESS_PICK_MAX_WEIGHT;
    }

    pick_make(&pick, NGX_EGRESS_PICK_KETAMA, 100, weights);

    CHECK(pick.npoints <= 100000);
    CHECK(pick_first(&pick, 1) < 100);

    free(pick.ring);
}


int
main(void)
{
    unit_test_t  tests[] = {
        { "shares follow weights", test_shares },
        { "serial goes by weight, then by position", test_serial },
        { "an order holds each node once", test_order },
        { "a new node only takes", test_stable },
        { "hashed choices are what they always were", test_known },
        { "heavy nodes do not make a large ring", test_large },
    };

    return UNIT_RUN(tests);
}
