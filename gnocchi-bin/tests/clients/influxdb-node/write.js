// Both InfluxDB clients of npm against a server. usage: node write.js URL
//
// What is stored is looked at by the test that runs this.
"use strict";

const assert = require("node:assert");
const { InfluxDB: FirstClient } = require("influx");
const { InfluxDB: SecondClient, Point } = require("@influxdata/influxdb-client");

const SECOND = 1714521600;
const url = new URL(process.argv[2]);

async function firstVersion() {
  const client = new FirstClient({
    // Writes and statements go below the path; this client forgets it when it looks whether the server is there.
    hosts: [{ host: url.hostname, port: Number(url.port), protocol: "http", path: "/v1/influxdb" }],
    username: "admin",
    password: "secret",
    database: "node 1",
  });
  const [host] = await client.ping(5000);
  assert.ok(host.online);
  assert.match(host.version, /^Gnocchi /);

  const point = (timestamp, usage) => ({
    measurement: "cpu",
    tags: { host: "web", core: "0" },
    fields: { usage, up: true, text: "x" },
    timestamp,
  });
  await assert.rejects(client.writePoints([point(new Date(SECOND * 1000), 1)]), /database not found/);
  await client.createDatabase("node 1");
  await client.createDatabase("node 1");
  assert.ok((await client.getDatabaseNames()).includes("node 1"));
  await client.writePoints([point(new Date(SECOND * 1000), 1), point(new Date(SECOND * 1000 + 1000), 2)]);
  await client.writePoints([point(SECOND + 2, 3)], { precision: "s" });
  const nobody = { measurement: "cpu", tags: {}, fields: { usage: 4 }, timestamp: SECOND };
  await assert.rejects(
    client.writePoints([point(SECOND + 3, 4), nobody], { precision: "s" }),
    /partial write: line 2: .*dropped=1 of 3/,
  );
  await assert.rejects(client.query("select * from cpu"), /not implemented/i);
}

async function secondVersion() {
  const client = new SecondClient({ url: `${url.origin}/v1/influxdb`, token: "admin:secret" });
  const write = async (bucket, ...points) => {
    const writer = client.getWriteApi("any", bucket, "s", { maxRetries: 0 });
    writer.writePoints(points);
    await writer.close();
  };
  const point = (host, usage) => {
    const point = new Point("cpu").floatField("usage", usage).timestamp(SECOND);
    return host === undefined ? point : point.tag("host", host);
  };
  // It logs what it is told, too.
  console.warn = console.error = () => {};
  await write("node 1", point("db", 7.5));
  await assert.rejects(write("none", point("db", 1)), { statusCode: 404 });
  await assert.rejects(write("node 1", point("db2", 8.5), point(undefined, 9)), { statusCode: 400 });
}

firstVersion()
  .then(secondVersion)
  .catch((error) => {
    console.log(error);
    process.exitCode = 1;
  });
