// Sends each line of standard input with Segment's SDK for Node. Arguments: host, write key.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { Analytics } = createRequire(`${process.cwd()}/`)("@segment/analytics-node");
const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 10 });
const failed = [];
analytics.on("error", (error) => failed.push(String(error.reason ?? error.code)));
for (const line of readFileSync(0, "utf-8").trim().split("\n")) {
  const { anonymousId, event, properties, timestamp } = JSON.parse(line);
  analytics.track({ anonymousId, event, properties, timestamp });
}
await analytics.closeAndFlush();
console.log(failed.length);
