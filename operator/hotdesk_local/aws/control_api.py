"""`/_sim/`: how tests and the curious look behind the simulated AWS, and turn its knobs."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.faults import Fault, Faults
from hotdesk_local.aws.history import belongs
from hotdesk_local.aws.interference import DEEDS, Deed
from hotdesk_local.aws.model import Instance, State
from hotdesk_local.aws.world import World
from hotdesk_local.machines.host import Machines

_Route = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class ControlApi:
    """The routes below `/_sim/`."""

    world: World
    machines: Machines
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for aiohttp."""
        return [
            web.get("/_sim/calls", _guarded(self._calls)),
            web.get("/_sim/machines", _guarded(self._machines)),
            web.post("/_sim/machines/{id}/{what}", _guarded(self._interfere)),
            web.get("/_sim/history", _guarded(self._history)),
            web.get("/_sim/config", _guarded(self._config)),
            web.put("/_sim/config", _guarded(self._configure)),
            web.get("/_sim/faults", _guarded(self._list_faults)),
            web.post("/_sim/faults", _guarded(self._add_fault)),
            web.delete("/_sim/faults", _guarded(self._remove_faults)),
            web.delete("/_sim/faults/{id}", _guarded(self._remove_faults)),
            web.route("*", "/_sim/{path:.*}", _unknown),
        ]

    async def _calls(self, request: web.Request) -> web.Response:
        calls = self.world.calls
        since = int(request.query.get("since", 0))
        return _json({"next": calls.last, "calls": [asdict(call) for call in calls.after(since)]})

    async def _machines(self, request: web.Request) -> web.Response:
        wanted = request.query.get("group")
        found = [i for i in self.world.fleet.instances.values() if wanted is None or i.origin == wanted]
        return _json({"machines": [self._shown(instance) for instance in found]})

    def _shown(self, instance: Instance) -> dict[str, Any]:
        member = instance.member
        return {
            "id": instance.id,
            "state": instance.state,
            "group": member.group.name if member else None,
            "groupState": member.lifecycle if member else None,
            "healthy": member.healthy if member else None,
            "protected": member.protected if member else False,
            "origin": instance.origin,
            "terminationProtection": instance.protected_from_termination,
            "stopProtection": instance.protected_from_stop,
            "privateIP": instance.private_ip,
            "publicIP": instance.public_ip,
            "zone": instance.subnet.zone,
            "type": instance.spec.instance_type,
            "lifecycle": "spot" if instance.spec.spot else "on-demand",
            "tags": instance.tags,
            "disk": str(self.machines.disk(instance.id)),
            "serving": self.machines.is_serving(instance.id),
            "reclaimedAt": self.world.spot.ends_at(instance),
            "agent": self.world.guests.mood(instance),
            "hanging": self.machines.is_hanging(instance.id),
            "launched": instance.launched,
            "since": instance.since,
            "changes": [asdict(change) for change in self.world.fleet.history.of.get(instance.id, [])],
        }

    async def _interfere(self, request: web.Request) -> web.Response:
        instance = self.world.fleet.instances.get(request.match_info["id"])
        if instance is None:
            return _problem(404, f"There is no machine {request.match_info['id']}: see GET /_sim/machines.")
        deed = DEEDS.get(request.match_info["what"])
        if deed is None:
            return _problem(404, f"Choose one of {', '.join(DEEDS)}.")
        try:
            deed(Deed(self.world, self.machines, instance, said=await _body(request)))
        except AwsError as refusal:
            return _problem(409, str(refusal))
        return _json(self._shown(instance))

    async def _history(self, request: web.Request) -> web.Response:
        since = int(request.query.get("since", 0))
        key, _, value = request.query.get("tag", "").partition("=")
        tag, group, fleet = (key, value) if key else None, request.query.get("group"), self.world.fleet

        def asked_for(instance_id: str) -> bool:
            instance = fleet.find(instance_id)
            return instance is not None and belongs(instance, group=group, tag=tag)

        before, counts = 0, []
        for count in fleet.history.live_counts(instances=asked_for):
            if count.change.n < since:
                before = count.live
            else:
                counts.append({**asdict(count.change), "live": count.live})
        live = counts[-1]["live"] if counts else before
        most = max([before, *(count["live"] for count in counts)])
        alive = sum(1 for i in fleet.instances.values() if asked_for(i.id) and i.state in _ENDING)
        return _json({"next": self.world.calls.last, "live": live, "max": most, "ending": alive, "changes": counts})

    async def _config(self, _request: web.Request) -> web.Response:
        return _json(self.world.config.model_dump(by_alias=True))

    async def _configure(self, request: web.Request) -> web.Response:
        self.world.configure(self.world.config.changed(orjson.loads(await request.read())))
        await self.machines.serve(serving=self.world.config.serve)
        return await self._config(request)

    async def _list_faults(self, _request: web.Request) -> web.Response:
        return _json({"faults": self.faults.listed()})

    async def _add_fault(self, request: web.Request) -> web.Response:
        return _json({"id": self.faults.add(Fault.model_validate_json(await request.read()))}, status=201)

    async def _remove_faults(self, request: web.Request) -> web.Response:
        named = request.match_info.get("id")
        self.faults.remove(int(named) if named is not None else None)
        return await self._list_faults(request)


async def _body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request that may have none. Raises ValueError."""
    found = orjson.loads(await request.read() or b"{}")
    if not isinstance(found, dict):
        raise TypeError("the body is a JSON object")
    return found


_ENDING = frozenset({State.SHUTTING_DOWN})


def _guarded(route: _Route) -> _Route:
    """Turn bad input into 400 with a sentence."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await route(request)
        except ValidationError as exc:
            return _problem(400, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()))
        except (ValueError, TypeError, KeyError) as exc:
            return _problem(400, f"This is not understood: {exc}")

    return answer


async def _unknown(_request: web.Request) -> web.Response:
    return _problem(404, "The control API has calls, machines, history, config and faults: see docs/local-aws.md.")


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value, default=str), status=status, content_type="application/json")


def _problem(status: int, sentence: str) -> web.Response:
    return _json({"error": sentence}, status=status)
