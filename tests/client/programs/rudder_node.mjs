// Sends each line of standard input with RudderStack's SDK for Node. Arguments: host, write key.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const Analytics = createRequire(`${process.cwd()}/`)("@rudderstack/rudder-sdk-node");
const [dataPlaneUrl, writeKey] = process.argv.slice(2);
// Without a handler it throws what a host answers beyond 200.
const options = { dataPlaneUrl, flushAt: 5, logLevel: "off", errorHandler: () => {} };
const analytics = new (Analytics.default ?? Analytics)(writeKey, options);
const sent = readFileSync(0, "utf-8").trim().split("\n").map((line) => {
  const { anonymousId, event, properties, timestamp } = JSON.parse(line);
  return new Promise((done) => {
    const message = { anonymousId, event, properties, originalTimestamp: timestamp };
    analytics.track(message, (error) => done(error ? 1 : 0));
  });
});
analytics.flush();
console.log((await Promise.all(sent)).reduce((sum, failed) => sum + failed, 0));
process.exit(0);
