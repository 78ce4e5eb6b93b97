"""What a group does by itself: replace the unhealthy, launch what is missing, scale in, rebalance zones."""

from collections import Counter

from hotdesk_local.aws import activities, membership
from hotdesk_local.aws.clock import sentence
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.launch_templates import read_template
from hotdesk_local.aws.model import COUNTED, GROUP_TAG, STARTED, Group, LaunchSpec, Lifecycle, Member, Subnet
from hotdesk_local.aws.world import World

ALL_PROTECTED = "Could not scale to desired capacity because all remaining instances are protected from scale in."


def look(world: World, group: Group, *, now: float) -> None:
    """Do what the group's state asks for now; cheap when nothing changed."""
    if group.unhealthy_since:
        _check_health(world, group, now=now)
    if not group.needs_look:
        return
    group.needs_look = False
    if group.status is not None:
        if not group.members:
            del world.groups[group.name]
        return
    counted = [m for m in group.members.values() if m.lifecycle in COUNTED]
    missing = group.desired - len(counted)
    if missing > 0:
        _launch(world, group, missing, counted=counted, now=now)
    elif missing < 0:
        _scale_in(world, group, -missing, counted=counted, now=now)
    else:
        group.rebalancing = group.blocked = False
        _rebalance(world, group, counted=counted, now=now)


def _check_health(world: World, group: Group, *, now: float) -> None:
    if "HealthCheck" not in group.suspended:
        for instance_id, since in group.unhealthy_since.items():
            if now >= since + world.config.health_check:
                membership.set_health(world, group.members[instance_id], healthy=False, cause="health-check", now=now)
    if group.suspended & {"ReplaceUnhealthy", "Terminate"}:
        return
    for instance_id in list(group.unhealthy_since):
        member = group.members[instance_id]
        if member.healthy:
            continue
        words = (
            f"At {sentence(now)} an instance was taken out of service in response to an EC2 health check indicating "
            "it has been terminated or stopped."
        )
        membership.end(world, member, words=words, cause="health-check", noted="health-check", now=now)


def _launch(world: World, group: Group, missing: int, *, counted: list[Member], now: float) -> None:
    if "Launch" in group.suspended:
        return
    if now < group.retry_at:
        group.needs_look = True
        return
    zones = Counter(m.instance.subnet.id for m in counted)
    for started in range(missing):
        subnet = min(group.subnets, key=lambda candidate: (_is_full(world, candidate), zones[candidate.id]))
        words = activities.capacity_words(
            group,
            doing="started",
            before=len(counted) + started,
            after=len(counted) + started + 1,
            now=now,
        )
        if not _launch_one(world, group, subnet, words=words, now=now):
            group.retry_at = now + world.config.retry
            group.needs_look = True
            return
        zones[subnet.id] += 1


def _is_full(world: World, subnet: Subnet) -> bool:
    """Say whether AWS has no room in this zone: then a group launches in another."""
    room = world.config.zone_capacity.get(subnet.zone)
    if room is None:
        return False
    there = [i for i in world.fleet.instances.values() if i.subnet.zone == subnet.zone and i.state in STARTED]
    return len(there) >= room


def _launch_one(world: World, group: Group, subnet: Subnet, *, words: str, now: float) -> bool:
    activity = activities.begin(
        group,
        description="Launching a new EC2 instance",
        cause=words,
        zone=subnet.zone,
        subnet=subnet.id,
        now=now,
    )
    try:
        spec = read_template(world.templates, group.settings)
        tags = _launch_tags(group, spec)
        instance = world.fleet.launch(spec, subnet=subnet, cause="launch", now=now, tags=tags, origin=group.name)
    except AwsError as refusal:
        message = f"{refusal.message} Launching EC2 instance failed."
        activity.description = f"Launching a new EC2 instance.  Status Reason: {message}"
        activities.fail(activity, message=message, now=now)
        return False
    activity.description = f"Launching a new EC2 instance: {instance.id}"
    membership.join(world, group, instance, activity=activity, now=now)
    return True


def _launch_tags(group: Group, spec: LaunchSpec) -> dict[str, str]:
    own = {key: value for key, (value, propagate) in group.tags.items() if propagate}
    template = spec.template or {}
    return {
        **spec.tags,
        **own,  # the group wins over the template on the same key
        GROUP_TAG: group.name,
        "aws:ec2launchtemplate:id": template.get("LaunchTemplateId", ""),
        "aws:ec2launchtemplate:version": template.get("Version", ""),
    }


def _scale_in(world: World, group: Group, excess: int, *, counted: list[Member], now: float) -> None:
    pending = any(m.lifecycle is Lifecycle.PENDING for m in counted)
    if "Terminate" in group.suspended or (group.rebalancing and pending):
        return
    zones = Counter(m.instance.subnet.id for m in counted)
    victims = [m for m in counted if _may_go(m)]
    going = min(excess, len(victims))
    for ended in range(going):
        # Zones first, then age: AWS's default policy without its tie-breaks on templates and billing hours.
        victim = min(victims, key=lambda m: (-zones[m.instance.subnet.id], m.instance.number))
        victims.remove(victim)
        zones[victim.instance.subnet.id] -= 1
        before = len(counted) - ended
        words = activities.capacity_words(group, doing="taken out of service", before=before, after=before - 1, now=now)
        words += f"  At {sentence(now)} instance {victim.instance.id} was selected for termination."
        if group.rebalancing:
            words = (
                f"At {sentence(now)} instances were launched to balance instances in zones with other zones.  {words}"
            )
        membership.end(world, victim, words=words, cause="scale-in", noted="scale-in", now=now)
    if going < excess and any(m.lifecycle is Lifecycle.IN_SERVICE and m.protected for m in counted):
        _say_all_protected(group, now=now)


def _may_go(member: Member) -> bool:
    return member.lifecycle is Lifecycle.IN_SERVICE and not member.protected and member.healthy


def _say_all_protected(group: Group, *, now: float) -> None:
    if group.blocked:
        return
    group.blocked = True
    activity = activities.begin(
        group,
        description=ALL_PROTECTED,
        cause=f"At {sentence(now)} {group.wanted_because}.",
        zone=group.subnets[0].zone,
        subnet=group.subnets[0].id,
        now=now,
    )
    activities.fail(activity, message=ALL_PROTECTED, now=now, status="Cancelled")


def _rebalance(world: World, group: Group, *, counted: list[Member], now: float) -> None:
    """Launch one more in the emptiest zone where one in the fullest may go: AWS launches before it terminates."""
    if group.suspended & {"AZRebalance", "Launch"} or any(m.lifecycle is Lifecycle.PENDING for m in counted):
        return
    zones = Counter({subnet.id: 0 for subnet in group.subnets})
    zones.update(m.instance.subnet.id for m in counted)
    emptiest = min(group.subnets, key=lambda subnet: zones[subnet.id])
    fullest = [m for m in counted if zones[m.instance.subnet.id] > zones[emptiest.id] + 1 and _may_go(m)]
    if not fullest:
        return
    words = (
        f"At {sentence(now)} instances were launched to balance instances in zones {emptiest.zone} with other zones "
        "resulting in more than desired number of instances in the group."
    )
    group.rebalancing = _launch_one(world, group, emptiest, words=words, now=now)
