import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, CloudFormationValidatePlugin, Stack, Validations } from 'aws-cdk-lib';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { app as examples } from '../../bin/app.ts';
import { everyOption } from './declared.ts';

interface Report {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly violations: readonly {
      readonly ruleName: string;
      readonly violatingConstructs: readonly { readonly constructPath: string }[];
    }[];
    readonly suppressedViolations?: readonly { readonly ruleName: string; readonly reason?: string }[];
  }[];
}

// CDK's rules take seconds to load, again for resource types that are new, so the app with all resource types comes first.
const cloudFormation = new CloudFormationValidatePlugin();

/** The reports of both rule packs on an app. */
function reportOn(app: App): Report['pluginReports'] {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(), cloudFormation);
  const { directory } = app.synth({ force: true });
  return (JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as Report).pluginReports;
}

describe('rule packs', () => {
  it.each<[string, () => App]>([
    ['every option', () => everyOption().app],
    ['the example app', () => examples],
  ])('S02 find nothing in %s, warnings included, and every acknowledgement has a reason', (_, make) => {
    for (const { violations, suppressedViolations = [] } of reportOn(make())) {
      const found = violations.flatMap(({ ruleName, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => `${ruleName} ${constructPath}`),
      );
      expect(found).toEqual([]);
      for (const { ruleName, reason } of suppressedViolations) expect(reason, ruleName).toMatch(/\w+ \w+ \w+/);
    }
  });

  it('S02 both find violations', () => {
    const app = new App({ context: { '@aws-cdk/core:failSynthOnValidationErrors': false } });
    new CfnQueue(new Stack(app, 'Wrong'), 'Queue', { visibilityTimeout: -1 });
    const reports = reportOn(app);
    const rules = reports.flatMap(({ violations }) => violations.map(({ ruleName }) => ruleName));
    expect(rules).toEqual(expect.arrayContaining(['F3034', 'AwsSolutions-SQS4']));
  });
});
