"""Ceilometer's publisher for Gnocchi against a server: publishes samples and events, and reads back what became of them.

usage: publish_to_gnocchi.py URL
"""

import datetime
import logging
import sys
import tempfile
import urllib.parse
import uuid

from ceilometer import gnocchi_client, sample, service
from ceilometer.event import models
from ceilometer.publisher.gnocchi import GnocchiPublisher

URL = sys.argv[1]
PROJECT, OTHER_PROJECT, USER = (uuid.uuid4().hex for _ in range(3))
BEGIN = datetime.datetime(2026, 1, 1, 12)
SERVER, VOLUME, IMAGE = (str(uuid.uuid4()) for _ in range(3))
METADATA = {
    "host": "compute-1", "display_name": "wëb 1", "image_ref": IMAGE, "flavor": {"id": "7", "name": "m1.small"},
    "launched_at": "2026-01-01T11:00:00.000000", "created_at": "2026-01-01T10:59:00",
}


class Complaints(logging.Handler):
    """Keeps what ceilometer logs when something is refused; it goes on after that."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        if record.name.startswith("ceilometer"):
            self.texts.append(self.format(record))


COMPLAINTS = Complaints()


def configuration():
    """Returns the configuration of a ceilometer whose only service is Gnocchi."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"[service_credentials]\nauth_type = gnocchi-basic\nuser = admin\nendpoint = {URL}\n")
        file.flush()
        conf = service.prepare_service([], [file.name])
    logging.getLogger().addHandler(COMPLAINTS)
    return conf


def measured(name, volume, resource, minutes=0, unit="x", kind=sample.TYPE_GAUGE, metadata=None, project=PROJECT):
    timestamp = (BEGIN + datetime.timedelta(minutes=minutes)).isoformat()
    return sample.Sample(name, kind, unit, volume, USER, project, resource, timestamp, metadata or {})


def event(kind, **traits):
    traits = [models.Trait(name, models.Trait.TEXT_TYPE, value) for name, value in traits.items()]
    return models.Event(str(uuid.uuid4()), kind, BEGIN, traits, {})


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} instead of {expected!r}")


def only(things, *keys):
    return {key: things[key] for key in keys}


def aggregates(gnocchi, resource, metric, aggregation="mean"):
    """Returns what was aggregated per five minutes, by minutes since the beginning."""
    rows = gnocchi.metric.get_measures(metric, resource_id=resource, aggregation=aggregation)
    minutes = lambda timestamp: (timestamp.replace(tzinfo=None) - BEGIN).total_seconds() / 60
    return {minutes(timestamp): value for timestamp, granularity, value in rows if granularity == 300}


def resource_types(conf, gnocchi):
    gnocchi_client.upgrade_resource_types(conf)
    first = gnocchi.resource_type.list()
    gnocchi_client.upgrade_resource_types(conf)
    same("types after a second upgrade", gnocchi.resource_type.list(), first)
    attributes = gnocchi.resource_type.get("instance")["attributes"]
    same("host", attributes["host"], {"type": "string", "min_length": 0, "max_length": 255, "required": False})
    same("launched_at", attributes["launched_at"], {"type": "datetime", "required": False})


def samples(publisher, gnocchi):
    port = f"instance-1-{SERVER}-tap/0"
    batch = [
        measured("cpu", (minutes + 10) * 60e9, SERVER, minutes, "ns", sample.TYPE_CUMULATIVE, METADATA)
        for minutes in (0, 5, 10)
    ]
    batch += [
        measured("memory", 2048, SERVER, unit="MB", metadata=METADATA),
        measured("vcpus", 2, SERVER, unit="vcpu", metadata=METADATA),
        measured("network.incoming.bytes", 1e6, port, unit="B", kind=sample.TYPE_CUMULATIVE,
                 metadata={"vnic_name": "tap0", "instance_id": SERVER}),
        measured("volume.size", 20, VOLUME, unit="GB", metadata={"display_name": "disk", "volume_type": "ssd"}),
        measured("image.size", 1.5e9, IMAGE, unit="B",
                 metadata={"name": "debian", "container_format": "bare", "disk_format": "qcow2"}),
        measured("image.size", 0, str(uuid.uuid4()), unit="B", metadata={"name": "without formats"}),
    ]
    publisher.publish_samples(batch)

    server = gnocchi.resource.get("instance", SERVER)
    same("server", only(server, "host", "display_name", "flavor_id", "flavor_name", "user_id", "project_id", "server_group"), {
        "host": "compute-1", "display_name": "wëb 1", "flavor_id": "7", "flavor_name": "m1.small", "user_id": USER,
        "project_id": PROJECT, "server_group": None,
    })
    same("launched_at", server["launched_at"], "2026-01-01T11:00:00+00:00")
    same("metrics", sorted(server["metrics"]), ["cpu", "memory", "vcpus"])
    cpu = gnocchi.metric.get("cpu", resource_id=SERVER)
    same("cpu", (cpu["unit"], cpu["archive_policy"]["name"]), ("ns", "ceilometer-low-rate"))
    same("cpu time", aggregates(gnocchi, SERVER, "cpu"), {0: 600e9, 5: 900e9, 10: 1200e9})
    same("cpu use", aggregates(gnocchi, SERVER, "cpu", "rate:mean"), {5: 300e9, 10: 300e9})
    same("memory", aggregates(gnocchi, SERVER, "memory"), {0: 2048.0})
    same("port", gnocchi.resource.get("instance_network_interface", port.replace("/", "_"))["instance_id"], SERVER)
    same("volume", gnocchi.resource.get("volume", VOLUME)["volume_type"], "ssd")
    same("images", len(gnocchi.resource.list("image")), 2)

    # The same again, with resources that exist and one that changed hands.
    batch = [
        measured("cpu", 25 * 60e9, SERVER, 15, "ns", sample.TYPE_CUMULATIVE, {**METADATA, "host": "compute-2"}),
        measured("volume.size", 30, VOLUME, 15, "GB", metadata={"volume_type": "ssd"}, project=OTHER_PROJECT),
    ]
    publisher.publish_samples(batch)
    same("cpu use later", aggregates(gnocchi, SERVER, "cpu", "rate:mean"), {5: 300e9, 10: 300e9, 15: 300e9})
    hosts = [revision["host"] for revision in gnocchi.resource.history("instance", SERVER, sorts=["revision_start:asc"])]
    same("hosts", hosts, ["compute-1", "compute-2"])
    same("owner", gnocchi.resource.get("volume", VOLUME)["project_id"], OTHER_PROJECT)


def events(publisher, gnocchi):
    created = str(uuid.uuid4())
    traits = {"instance_id": created, "display_name": "new", "host": "compute-3", "instance_flavor_id": "7",
              "instance_type": "m1.small", "user_id": USER, "project_id": PROJECT}
    publisher.publish_events([event("compute.instance.create.end", **traits)] * 2)
    same("created", only(gnocchi.resource.get("instance", created), "display_name", "host", "ended_at"),
         {"display_name": "new", "host": "compute-3", "ended_at": None})

    publisher.publish_events([event("volume.transfer.accept.end", resource_id=VOLUME, project_id=PROJECT)])
    same("given back", gnocchi.resource.get("volume", VOLUME)["project_id"], PROJECT)

    publisher.publish_events([event("compute.instance.delete.start", instance_id=SERVER)])
    ended = [resource["type"] for resource in gnocchi.resource.list() if resource["ended_at"]]
    same("ended", sorted(ended), ["instance", "instance_network_interface"])
    # What was never there is not worth a word.
    publisher.publish_events([event("image.delete", resource_id=str(uuid.uuid4()))])


def main():
    conf = configuration()
    gnocchi = gnocchi_client.get_gnocchiclient(conf)
    resource_types(conf, gnocchi)
    publisher = GnocchiPublisher(conf, urllib.parse.urlsplit("gnocchi://?enable_filter_project=false"))
    samples(publisher, gnocchi)
    events(publisher, gnocchi)
    same("complaints", COMPLAINTS.texts, [])
    print("published and read back")


main()
