"""The figures that Prometheus scrapes."""

from prometheus_client.parser import text_string_to_metric_families

from hotdesk.adapters.metrics import PrometheusMetrics


def samples(metrics: PrometheusMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_claim_latency_is_told_apart_from_one_millisecond_on():
    metrics = PrometheusMetrics()
    for seconds in (0.0008, 0.004, 0.012, 40):
        metrics.claim_published(pool="p", seconds=seconds)
    seen = samples(metrics)
    counts = {
        limit: seen["hotdesk_claim_duration_seconds_bucket", (("le", limit), ("pool", "p"))]
        for limit in ("0.001", "0.003", "0.005", "0.015", "30.0", "60.0", "+Inf")
    }
    assert counts == {"0.001": 1, "0.003": 1, "0.005": 2, "0.015": 3, "30.0": 3, "60.0": 4, "+Inf": 4}


def test_hits_and_misses_are_counted_by_cause():
    metrics = PrometheusMetrics()
    metrics.claim_hit(pool="p")
    metrics.claim_missed(pool="p", cause="BufferEmpty")
    metrics.claim_missed(pool="p", cause="BufferEmpty")
    seen = samples(metrics)
    assert seen["hotdesk_claim_hits_total", (("pool", "p"),)] == 1
    assert seen["hotdesk_claim_misses_total", (("cause", "BufferEmpty"), ("pool", "p"))] == 2


def test_state_that_is_no_longer_reported_goes():
    metrics = PrometheusMetrics()
    metrics.pool_counts(pool="p", counts={"idle": 2, "waiting": 1})
    metrics.pool_counts(pool="p", counts={"idle": 3})
    seen = samples(metrics)
    assert seen["hotdesk_pool_count", (("pool", "p"), ("state", "idle"))] == 3
    assert ("hotdesk_pool_count", (("pool", "p"), ("state", "waiting"))) not in seen


def test_removed_pool_leaves_nothing_and_others_stay():
    metrics = PrometheusMetrics()
    for pool in ("gone", "stays"):
        metrics.claim_published(pool=pool, seconds=0.01)
        metrics.claim_hit(pool=pool)
        metrics.claim_missed(pool=pool, cause="AtCeiling")
        metrics.pool_counts(pool=pool, counts={"idle": 1})
        metrics.unsecured_age(pool=pool, seconds=3)
    metrics.pool_removed(pool="gone")
    metrics.pool_removed(pool="never-seen")
    pools = {dict(labels).get("pool") for _, labels in samples(metrics)}
    assert pools == {None, "stays"}


def test_calls_are_counted_by_what_they_were_and_how_they_ended():
    metrics = PrometheusMetrics()
    metrics.aws_call(action="DetachInstances", outcome="throttled", seconds=0.3)
    metrics.api_write(resource="machines", verb="patch", outcome="conflict", seconds=0.004)
    seen = samples(metrics)
    assert seen["hotdesk_aws_calls_total", (("action", "DetachInstances"), ("outcome", "throttled"))] == 1
    assert seen["hotdesk_aws_call_duration_seconds_sum", (("action", "DetachInstances"),)] == 0.3
    labels = (("outcome", "conflict"), ("resource", "machines"), ("verb", "patch"))
    assert seen["hotdesk_kubernetes_writes_total", labels] == 1


def test_process_is_shown():
    assert ("process_resident_memory_bytes", ()) in samples(PrometheusMetrics())


def test_a_pool_that_another_replica_owns_shows_no_gauge_here_and_keeps_its_counts():
    metrics = PrometheusMetrics()
    metrics.pool_owned(pool="p")
    metrics.pool_counts(pool="p", counts={"idle": 2})
    metrics.unsecured_age(pool="p", seconds=3)
    metrics.claim_hit(pool="p")
    assert samples(metrics)["hotdesk_pool_owner", (("pool", "p"),)] == 1
    metrics.pool_left(pool="p")
    left = {name for name, labels in samples(metrics) if ("pool", "p") in labels and not name.endswith("_created")}
    assert left == {"hotdesk_claim_hits_total"}


def test_renewals_are_counted_by_how_they_ended():
    metrics = PrometheusMetrics()
    metrics.lease_renewed(outcome="ok", seconds=0.003)
    metrics.lease_renewed(outcome="conflict", seconds=0.1)
    seen = samples(metrics)
    assert seen["hotdesk_lease_renewals_total", (("outcome", "conflict"),)] == 1
    assert seen["hotdesk_lease_renewal_duration_seconds_count", ()] == 2
