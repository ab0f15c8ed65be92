
/*
 * Copyright (C) ngx_egress authors
 *
 * The shared memory zone and the counters in it.  How they are shown is not
 * decided here.
 */


#include "../ngx_egress_module.h"


static ngx_int_t ngx_egress_stat_init_zone(ngx_shm_zone_t *zone, void *data);


/* this worker's row; NULL: no zone */
static ngx_egress_stat_t  *ngx_egress_stat;


char *
ngx_egress_stat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_conf_t *ecf = conf;

    ssize_t     size, least;
    ngx_str_t  *value;

    if (ecf->zone) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);
    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    /* the rows and what the slab allocator needs for itself */

    least = 2 * NGX_MAX_PROCESSES * sizeof(ngx_egress_stat_t);

    if (size < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs %uzk",
                           &value[1], (size_t) least / 1024);
        return NGX_CONF_ERROR;
    }

    ecf->zone = ngx_shared_memory_add(cf, &value[1], size, &ngx_egress_module);
    if (ecf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ecf->zone->init = ngx_egress_stat_init_zone;

    return NGX_CONF_OK;
}


char *
ngx_egress_stat_check(ngx_conf_t *cf, void *where)
{
    ngx_egress_conf_t    *ecf;
    ngx_egress_object_t  *directive = where;

    ecf = ngx_egress_get_conf(cf->cycle);

    if (ecf->zone) {
        return NGX_CONF_OK;
    }

    return ngx_egress_conf_error(cf, directive,
                                 "\"%V\" needs a \"zone\" in egress { }",
                                 &directive->name);
}


static ngx_int_t
ngx_egress_stat_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t    *shpool;
    ngx_egress_stat_t  *rows;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data) {
        zone->data = data;                 /* a reload keeps the counters */
        return NGX_OK;
    }

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    rows = ngx_slab_calloc(shpool,
                           NGX_MAX_PROCESSES * sizeof(ngx_egress_stat_t));
    if (rows == NULL) {
        return NGX_ERROR;
    }

    shpool->data = rows;
    zone->data = rows;

    return NGX_OK;
}


ngx_int_t
ngx_egress_stat_init_process(ngx_cycle_t *cycle)
{
    ngx_egress_conf_t  *ecf;

    ecf = ngx_egress_get_conf(cycle);

    if (ecf->zone == NULL) {
        return NGX_OK;
    }

    ngx_egress_stat = ecf->zone->data;
    ngx_egress_stat += ngx_process_slot;

    /* whoever had this slot before is dead */

    ngx_egress_stat->alive = 0;

    return NGX_OK;
}


void
ngx_egress_stat_created(ngx_egress_task_t *task)
{
    if (ngx_egress_stat == NULL) {
        return;
    }

    ngx_egress_stat->created++;
    ngx_egress_stat->alive++;
    task->counted = 1;
}


void
ngx_egress_stat_ended(ngx_egress_task_t *task)
{
    if (!task->counted) {
        return;
    }

    task->counted = 0;

    ngx_egress_stat->alive--;
    ngx_egress_stat->reasons[task->reason]++;
    ngx_egress_stat->bytes_sent += task->bytes_sent;
    ngx_egress_stat->bytes_received += task->bytes_received;
}


ngx_int_t
ngx_egress_stat_sum(ngx_cycle_t *cycle, ngx_egress_stat_t *sum)
{
    ngx_uint_t          i, k;
    ngx_egress_conf_t  *ecf;
    ngx_egress_stat_t  *row;

    ecf = ngx_egress_get_conf(cycle);

    if (ecf->zone == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(sum, sizeof(ngx_egress_stat_t));

    row = ecf->zone->data;

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        sum->created += row[i].created;
        sum->alive += row[i].alive;
        sum->bytes_sent += row[i].bytes_sent;
        sum->bytes_received += row[i].bytes_received;

        for (k = 0; k < NGX_EGRESS_REASONS; k++) {
            sum->reasons[k] += row[i].reasons[k];
        }
    }

    return NGX_OK;
}
