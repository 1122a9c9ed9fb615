use std::collections::BTreeMap;

use carbonara::Timestamp;

use super::*;
use crate::model::{GENERIC, ResourceId};

fn caller(user: &str, project: &str, role: &str) -> Caller {
    let id = |id: &str| Some(id.to_owned());
    Caller::of_project(id(user), id(project), None, vec![role.to_owned()])
}

fn only_project(project: &str) -> VisibleResources {
    VisibleResources {
        project_id: Some(project.to_owned()),
        creator_project: Some(CreatorProject::Project(project.to_owned())),
    }
}

/// A resource that `u1` of `p1` made and that belongs to `p2`.
fn resource() -> Resource {
    let moment = Timestamp::from_second(0).unwrap();
    Resource {
        id: ResourceId::from_original("f93450f2-d8a5-4d67-9985-02511241e7d1", None).unwrap(),
        resource_type: GENERIC.to_owned(),
        creator: Some("u1:p1".to_owned()),
        original_resource_id: "f93450f2-d8a5-4d67-9985-02511241e7d1".to_owned(),
        started_at: moment,
        ended_at: None,
        revision_start: moment,
        revision_end: None,
        revision: None,
        user_id: None,
        project_id: Some("p2".to_owned()),
        attributes: BTreeMap::new(),
        metrics: BTreeMap::new(),
    }
}

fn resources(
    enforcer: &Enforcer,
    action: Action,
    caller: &Caller,
) -> Option<Visibility<VisibleResources>> {
    enforcer
        .visible_resources(action, caller, GENERIC, &Answers::default())
        .unwrap()
}

fn metrics(enforcer: &Enforcer, caller: &Caller) -> Option<Visibility<VisibleMetrics>> {
    enforcer
        .visible_metrics(caller, &Answers::default())
        .unwrap()
}

fn access(enforcer: &Enforcer, caller: &Caller) -> ResourceAccess {
    enforcer
        .access_to_resource(caller, &resource(), &Answers::default())
        .unwrap()
}

#[test]
fn bare_names_see_everything() {
    let enforcer = Enforcer::default();
    let name = Caller::named("u");
    let everything = Some(Visibility::Everything);
    assert_eq!(
        resources(&enforcer, Action::ListResource, &name),
        everything
    );
    assert_eq!(metrics(&enforcer, &name), Some(Visibility::Everything));
    assert_eq!(access(&enforcer, &name), ResourceAccess::Allowed);
}

#[test]
fn listings_by_kind_of_caller() {
    let enforcer = Enforcer::default();
    let member = caller("u1", "p1", "member");
    let own = || Some(Visibility::Only(only_project("p1")));
    for action in [
        Action::ListResource,
        Action::SearchResource,
        Action::DeleteResources,
    ] {
        let admin = caller("a", "p9", "admin");
        let everything = Some(Visibility::Everything);
        assert_eq!(resources(&enforcer, action, &admin), everything);
    }
    assert_eq!(resources(&enforcer, Action::ListResource, &member), own());
    assert_eq!(resources(&enforcer, Action::SearchResource, &member), own());
    let made_only = VisibleResources {
        project_id: None,
        ..only_project("p1")
    };
    assert_eq!(
        resources(&enforcer, Action::DeleteResources, &member),
        Some(Visibility::Only(made_only))
    );
    let service = caller("s", "p9", "service");
    assert_eq!(
        resources(&enforcer, Action::SearchResource, &service),
        Some(Visibility::Everything)
    );
    assert_eq!(
        resources(&enforcer, Action::ListResource, &service),
        Some(Visibility::Only(only_project("p9")))
    );
}

#[test]
fn metrics_by_kind_of_caller() {
    let enforcer = Enforcer::default();
    let everything = Some(Visibility::Everything);
    assert_eq!(metrics(&enforcer, &caller("a", "p9", "admin")), everything);
    let expected = VisibleMetrics {
        creator_project: Some(CreatorProject::Project("p1".to_owned())),
        of_resources: Some(VisibleResources {
            project_id: Some("p1".to_owned()),
            creator_project: None,
        }),
    };
    for role in ["member", "service"] {
        let visible = metrics(&enforcer, &caller("u1", "p1", role));
        assert_eq!(visible, Some(Visibility::Only(expected.clone())));
    }
}

#[test]
fn a_caller_without_project_lists_nothing() {
    let enforcer = Enforcer::default();
    let nobody = caller("u1", "", "member");
    assert_eq!(resources(&enforcer, Action::ListResource, &nobody), None);
    assert_eq!(metrics(&enforcer, &nobody), None);
    assert_eq!(access(&enforcer, &nobody), ResourceAccess::Denied);
    let open = Enforcer::new(
        [("list resource", "not None:%(created_by_project_id)s")],
        "d",
    );
    // Asked without a type, nothing is known of a creator, so the rule opens everything.
    assert_eq!(
        resources(&open.unwrap(), Action::ListResource, &nobody),
        Some(Visibility::Everything)
    );
    let unknown = Enforcer::new([("list resource", "None:%(created_by_project_id)s")], "d");
    assert_eq!(
        resources(&unknown.unwrap(), Action::ListResource, &nobody),
        Some(Visibility::Only(VisibleResources {
            project_id: None,
            creator_project: Some(CreatorProject::Unknown),
        }))
    );
}

#[test]
fn one_resource_by_kind_of_caller() {
    let enforcer = Enforcer::default();
    let check = |user: &str, project: &str, role: &str, expected: ResourceAccess| {
        let found = access(&enforcer, &caller(user, project, role));
        assert_eq!(found, expected, "{user} {project} {role}");
    };
    check("u1", "p1", "member", ResourceAccess::Allowed);
    check("u3", "p1", "member", ResourceAccess::Allowed);
    check("u2", "p2", "member", ResourceAccess::Allowed);
    check("u4", "p4", "member", ResourceAccess::Hidden);
    // The creator is the user in his project, not the user anywhere.
    check("u1", "p4", "member", ResourceAccess::Hidden);
    check("u5", "p5", "service", ResourceAccess::Hidden);
    check("u6", "p6", "admin", ResourceAccess::Allowed);
    let closed = Enforcer::new([("get resource", "role:auditor")], "d").unwrap();
    let denied = access(&closed, &caller("u1", "p1", "member"));
    assert_eq!(denied, ResourceAccess::Denied);
    let by_user = Enforcer::new([("get resource", "user_id:%(creator)s")], "d").unwrap();
    let users = [
        ("u1", ResourceAccess::Allowed),
        ("u2", ResourceAccess::Hidden),
    ];
    for (user, expected) in users {
        assert_eq!(access(&by_user, &caller(user, "p4", "member")), expected);
    }
}

#[test]
fn another_service_is_asked_first() {
    let rules = [("list metric", "http://h"), ("get resource", "http://h")];
    let enforcer = Enforcer::new(rules, "d").unwrap();
    let member = caller("u", "p", "member");
    let mut answers = Answers::default();
    let asked = enforcer.visible_metrics(&member, &answers).unwrap_err();
    assert_eq!(asked.rule, "list metric");
    answers.add(*asked, true);
    assert_eq!(
        enforcer.visible_metrics(&member, &answers),
        Ok(Some(Visibility::Everything))
    );
    let asked = enforcer.access_to_resource(&member, &resource(), &answers);
    assert_eq!(asked.unwrap_err().rule, "get resource");
}
