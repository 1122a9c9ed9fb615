"""Both InfluxDB clients of PyPI against a server. usage: write.py URL

What is stored is looked at by the test that runs this.
"""

import sys
from urllib.parse import urlparse

from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from influxdb_client import InfluxDBClient as SecondClient
from influxdb_client import Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

SECOND = 1_714_521_600
URL = sys.argv[1]


def refused(call, error, *texts):
    """The call must fail with an error that holds some texts."""
    try:
        result = call()
    except error as failure:
        told = f"{failure} {getattr(failure, 'body', '')}"
        for text in texts:
            assert text in told, f"{text!r} is not in {told!r}"
        return failure
    raise AssertionError(f"not refused: {result!r}")


def first_version():
    address = urlparse(URL)
    options = dict(
        host=address.hostname,
        port=address.port,
        path="v1/influxdb",
        username="admin",
        password="secret",
        database="python 1",
        retries=1,
    )
    client = InfluxDBClient(**options)
    assert client.ping().startswith("Gnocchi "), client.ping()

    def point(second, value, **tags):
        return {
            "measurement": "cpu",
            "tags": {"host": "web", "core": "0", **tags},
            "time": second,
            "fields": {"usage": value, "count": 3, "up": True, "text": "x"},
        }

    def write(points, precision="s", client=client):
        assert client.write_points(points, time_precision=precision)

    early = refused(lambda: write([point(SECOND, 1.0)]), InfluxDBClientError, "database not found")
    assert early.code == 404, early.code
    for _ in range(2):
        client.create_database("python 1")
    assert {"name": "python 1"} in client.get_list_database()

    write([point(SECOND, 1.0), point(SECOND + 1, 2.0)])
    write([point((SECOND + 2) * 1000, 3.0)], "ms")
    write([point((SECOND + 3) * 10**9, 4.0)], "n", InfluxDBClient(gzip=True, **options))
    write([point(SECOND, 5.0, mount="/var/lib", note="a b,c=d")])

    lines = [f"cpu,host=web,core=0 usage=5 {SECOND + 4}", "cpu,core=0 usage=6", "broken"]
    partial = refused(
        lambda: client.write_points(lines, time_precision="s", protocol="line"),
        InfluxDBClientError,
        "partial write: line 2: ",
        "dropped=2 of 3",
    )
    assert partial.code == 400, partial.code
    refused(lambda: client.query("SELECT * FROM cpu"), InfluxDBServerError, "not implemented")
    client.close()


def second_version():
    options = dict(url=URL + "/v1/influxdb", token="admin:secret", org="any")
    with SecondClient(**options) as client:
        assert client.ping()
        assert client.version().startswith("Gnocchi "), client.version()
        assert client.health().status == "pass", client.health()
        writer = client.write_api(write_options=SYNCHRONOUS)

        def point(value):
            point = Point("cpu").tag("host", "db").tag("core", "1").field("usage", value)
            return point.time(SECOND, WritePrecision.S)

        writer.write("python 1", record=point(7.5))
        missing = refused(lambda: writer.write("none", record=point(1.0)), ApiException, "database not found")
        assert missing.status == 404, missing.status
        lines = [f"cpu,host=db,core=1 usage=8.5 {SECOND + 1}", "cpu usage=9"]
        partial = refused(
            lambda: writer.write("python 1", record=lines, write_precision=WritePrecision.S),
            ApiException,
            "partial write: line 2: ",
        )
        assert partial.status == 400, partial.status


first_version()
second_version()
