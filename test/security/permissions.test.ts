import { describe, expect, it } from 'vitest';
import { declared, identityStatements, ofType, referred, resourceStatements } from './declared.ts';

describe.each(declared())('permissions in %s', (_, resources) => {
  it('S01 no action and no resource has a wildcard, but the topics that messages name', () => {
    const allowed = identityStatements(resources).filter(({ Effect }) => Effect === 'Allow');
    expect(allowed.length).toBeGreaterThan(0);
    for (const { on, Action, Resource } of allowed) {
      expect(Action.length, on).toBeGreaterThan(0);
      for (const action of Action) expect(action, on).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
      // AWS Lambda makes a function's network interfaces with these; it does not support single resources.
      if (Action.every((action) => action.startsWith('ec2:'))) continue;
      for (const resource of Resource) {
        const text = JSON.stringify(resource);
        // Topics of AWS IoT Core, by the part of the template that is known at synth.
        const known = Action.includes('iot:Publish') ? text.replace(/(:topic\/[^*$"]+)\*(?=")/, '$1') : text;
        expect(known, `${on}: ${Action}`).not.toContain('*');
      }
    }
  });

  it('S01 actions on network interfaces are those that AWS Lambda needs, and the code of the function has none of them', () => {
    const statements = identityStatements(resources).filter(({ Action }) => Action.join().includes('ec2:'));
    const inVpc = ofType(resources, 'AWS::Lambda::Function').filter(([, { Properties }]) => Properties.VpcConfig);
    const roles = inVpc.map(([, { Properties }]) => referred(Properties.Role));
    for (const [i, role] of roles.entries()) {
      const own = statements.filter(({ on }) => on === role);
      expect(own.map(({ Effect }) => Effect).sort()).toEqual(['Allow', 'Deny']);
      const [allow, deny] = ['Allow', 'Deny'].map((effect) => own.find(({ Effect }) => Effect === effect)!);
      expect(deny!.Action).toEqual(allow!.Action);
      expect(allow!.Action).toEqual([
        'ec2:AssignPrivateIpAddresses',
        'ec2:CreateNetworkInterface',
        'ec2:DeleteNetworkInterface',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeSubnets',
        'ec2:UnassignPrivateIpAddresses',
      ]);
      const source = deny!.Condition!['ArnEquals']!['lambda:SourceFunctionArn'];
      expect(referred(source)).toBe(inVpc[i]![0]);
    }
    expect(statements.every(({ on }) => roles.includes(on))).toBe(true);
  });

  it('S01 no role has a managed policy of AWS, and no resource policy allows everyone', () => {
    for (const [id, { Properties }] of ofType(resources, 'AWS::IAM::Role'))
      expect(Properties.ManagedPolicyArns ?? [], id).toEqual([]);
    for (const { on, Action, Principal } of resourceStatements(resources).filter(({ Effect }) => Effect === 'Allow')) {
      expect(JSON.stringify(Principal), on).not.toContain('"*"');
      // A key needs the full access of its account, or it becomes unmanageable (AWS KMS, "Default key policy").
      if (!JSON.stringify(Principal).includes(':root')) expect(Action.join(), on).not.toContain('*');
    }
  });

  it('S01 each function has its own role, and so have the rules of each task', () => {
    const functions = ofType(resources, 'AWS::Lambda::Function').map(([, { Properties }]) => referred(Properties.Role));
    expect(new Set(functions).size).toBe(functions.length);
    const byRole = new Map<string, Set<unknown>>();
    for (const [, { Properties }] of ofType(resources, 'AWS::IoT::TopicRule')) {
      const { Actions, ErrorAction } = Properties.TopicRulePayload;
      const task = Properties.Tags.find(({ Key }: { Key: string }) => Key === 'outflow:task').Value;
      for (const action of [...Actions, ErrorAction]) {
        const role = referred(Object.values<{ RoleArn: unknown }>(action)[0]!.RoleArn)!;
        byRole.set(role, (byRole.get(role) ?? new Set()).add(task));
      }
    }
    expect(byRole.size).toBeGreaterThan(0);
    for (const [role, tasks] of byRole) {
      expect([role, tasks.size]).toEqual([role, 1]);
      expect(functions).not.toContain(role);
    }
  });

  it('S04 a service may act only for this account and for the named resources', () => {
    const byService = resourceStatements(resources).filter(
      ({ Effect, Principal }) => Effect === 'Allow' && Object.hasOwn(Principal as object, 'Service'),
    );
    expect(byService.length).toBeGreaterThan(0);
    for (const { on, Principal, Condition } of byService) {
      // Only a principal with iam:PassRole can give the role to a function.
      if ((Principal as { Service: unknown }).Service === 'lambda.amazonaws.com') continue;
      const keys = Object.values(Condition ?? {}).flatMap((condition) => Object.keys(condition));
      expect(keys.sort(), on).toEqual(['aws:SourceAccount', 'aws:SourceArn']);
    }
    for (const [id, { Properties }] of ofType(resources, 'AWS::Lambda::Permission'))
      expect(Properties.SourceArn, id).toBeDefined();
  });
});
