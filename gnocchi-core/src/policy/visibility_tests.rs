use super::*;
use crate::model::GENERIC;

fn caller(user: &str, project: &str, role: &str) -> Caller {
    let id = |id: &str| Some(id.to_owned());
    Caller::of_project(id(user), id(project), None, vec![role.to_owned()])
}

fn only_project(project: &str) -> VisibleResources {
    VisibleResources {
        project_id: Some(project.to_owned()),
        creator_project: Some(CreatorProject::Project(project.to_owned())),
        creator: None,
    }
}

fn listed<T>(visible: T) -> Sight<T> {
    Sight::Listed(Visibility::Only(visible))
}

fn all<T>() -> Sight<T> {
    Sight::Listed(Visibility::Everything)
}

/// A resource that `u1` of `p1` made and that belongs to `p2`.
fn resource() -> Resource {
    Resource {
        project_id: Some("p2".to_owned()),
        ..Resource::example("f93450f2-d8a5-4d67-9985-02511241e7d1", Some("u1:p1"))
    }
}

fn resources(
    enforcer: &Enforcer,
    action: Action,
    caller: &Caller,
) -> Option<Sight<VisibleResources>> {
    enforcer
        .visible_resources(action, caller, GENERIC, &Answers::default())
        .unwrap()
}

fn reach(enforcer: &Enforcer, action: Action, caller: &Caller) -> Option<Sight<VisibleResources>> {
    enforcer
        .reachable_resources(action, caller, GENERIC, &Answers::default())
        .unwrap()
}

fn metrics(enforcer: &Enforcer, caller: &Caller) -> Option<Sight<VisibleMetrics>> {
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
fn bare_names_list_everything_and_reach_what_they_made() {
    let enforcer = Enforcer::default();
    let name = Caller::named("u");
    assert_eq!(
        resources(&enforcer, Action::ListResource, &name),
        Some(all())
    );
    assert_eq!(metrics(&enforcer, &name), Some(all()));
    for action in [Action::SearchResource, Action::DeleteResources] {
        let own = VisibleResources {
            creator: Some("u".to_owned()),
            ..VisibleResources::default()
        };
        assert_eq!(
            reach(&enforcer, action, &name),
            Some(listed(own)),
            "{action:?}"
        );
        let admin = Caller::named("admin");
        assert_eq!(reach(&enforcer, action, &admin), Some(all()), "{action:?}");
    }
    let closed = Enforcer::new([("delete resources", "role:admin")], "d").unwrap();
    assert_eq!(reach(&closed, Action::DeleteResources, &name), None);
    // Nothing is hidden from them: they have seen it in a listing.
    assert_eq!(access(&enforcer, &name), ResourceAccess::Denied);
    let creator = Caller::named("u1:p1");
    assert_eq!(access(&enforcer, &creator), ResourceAccess::Allowed);
}

#[test]
fn rules_that_need_the_whole_thing_are_asked_about_each() {
    let rules = [
        ("list resource", "not 'secret':%(user_id)s"),
        ("search resource", "role:admin or 'yes':%(public)s"),
        (
            "delete resources",
            "user:%(creator)s and project_id:%(project_id)s",
        ),
        ("list metric", "not 'secret':%(resource.user_id)s"),
    ];
    let enforcer = Enforcer::new(rules, "d").unwrap();
    let member = caller("u1", "p1", "member");
    for action in [
        Action::ListResource,
        Action::SearchResource,
        Action::DeleteResources,
    ] {
        let found = resources(&enforcer, action, &member);
        assert_eq!(found, Some(Sight::OneByOne), "{action:?}");
        let found = reach(&enforcer, action, &Caller::named("u"));
        assert_eq!(found, Some(Sight::OneByOne), "{action:?}");
    }
    assert_eq!(metrics(&enforcer, &member), Some(Sight::OneByOne));
    assert_eq!(metrics(&enforcer, &Caller::named("u")), Some(all()));
    // What a caller is can be told beforehand, also by a rule that says what they must not be.
    let by_role = Enforcer::new([("list resource", "not role:guest")], "d").unwrap();
    assert_eq!(
        resources(&by_role, Action::ListResource, &member),
        Some(all())
    );
    let guest = caller("u1", "p1", "guest");
    assert_eq!(resources(&by_role, Action::ListResource, &guest), None);
}

#[test]
fn listings_by_kind_of_caller() {
    let enforcer = Enforcer::default();
    let member = caller("u1", "p1", "member");
    let own = || Some(listed(only_project("p1")));
    for action in [
        Action::ListResource,
        Action::SearchResource,
        Action::DeleteResources,
    ] {
        let admin = caller("a", "p9", "admin");
        assert_eq!(resources(&enforcer, action, &admin), Some(all()));
    }
    assert_eq!(resources(&enforcer, Action::ListResource, &member), own());
    assert_eq!(resources(&enforcer, Action::SearchResource, &member), own());
    let made_only = VisibleResources {
        project_id: None,
        ..only_project("p1")
    };
    assert_eq!(
        resources(&enforcer, Action::DeleteResources, &member),
        Some(listed(made_only))
    );
    let service = caller("s", "p9", "service");
    assert_eq!(
        resources(&enforcer, Action::SearchResource, &service),
        Some(all())
    );
    assert_eq!(
        resources(&enforcer, Action::ListResource, &service),
        Some(listed(only_project("p9")))
    );
}

#[test]
fn metrics_by_kind_of_caller() {
    let enforcer = Enforcer::default();
    assert_eq!(metrics(&enforcer, &caller("a", "p9", "admin")), Some(all()));
    let expected = VisibleMetrics {
        creator_project: Some(CreatorProject::Project("p1".to_owned())),
        of_resources: Some(VisibleResources {
            project_id: Some("p1".to_owned()),
            ..VisibleResources::default()
        }),
    };
    for role in ["member", "service"] {
        let visible = metrics(&enforcer, &caller("u1", "p1", role));
        assert_eq!(visible, Some(listed(expected.clone())));
    }
}

#[test]
fn a_caller_without_project_lists_nothing() {
    let enforcer = Enforcer::default();
    let outsider = caller("u1", "", "member");
    assert_eq!(resources(&enforcer, Action::ListResource, &outsider), None);
    assert_eq!(metrics(&enforcer, &outsider), None);
    assert_eq!(access(&enforcer, &outsider), ResourceAccess::Denied);
}

#[test]
fn rules_that_others_than_their_owners_can_pass_are_asked_about_each() {
    let member = caller("u1", "p1", "member");
    let check = |rule: &str, expected: Sight<VisibleResources>| {
        let enforcer = Enforcer::new([("list resource", rule), ("search resource", rule)], "d");
        let enforcer = enforcer.unwrap();
        for action in [Action::ListResource, Action::SearchResource] {
            assert_eq!(
                resources(&enforcer, action, &member),
                Some(expected.clone()),
                "{rule}"
            );
        }
    };
    let own = VisibleResources {
        project_id: Some("p1".to_owned()),
        ..VisibleResources::default()
    };
    check("project_id:%(project_id)s", listed(own));
    check(
        "'shared':%(project_id)s or project_id:%(project_id)s",
        Sight::OneByOne,
    );
    check("None:%(created_by_project_id)s", Sight::OneByOne);
    check("'generic':%(resource_type)s", Sight::OneByOne);
    check("role:%(project_id)s", Sight::OneByOne);
    // Their own things may belong to any project.
    check("user:%(creator)s", Sight::OneByOne);
    check(
        "user:%(creator)s or project_id:%(project_id)s",
        Sight::OneByOne,
    );
    let by_creator = Enforcer::new([("list metric", "user:%(creator)s")], "d").unwrap();
    assert_eq!(metrics(&by_creator, &member), Some(Sight::OneByOne));
    // A bare name is no project, but a rule may compare it with one.
    let by_name = Enforcer::new([("delete resources", "user:%(project_id)s")], "d").unwrap();
    let found = reach(&by_name, Action::DeleteResources, &Caller::named("u"));
    assert_eq!(found, Some(Sight::OneByOne));
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
    // The rule is about the resource; what it would say of one of the caller's own only hides it.
    let check = |rule: &str, user: &str, expected: ResourceAccess| {
        let enforcer = Enforcer::new([("get resource", rule)], "d").unwrap();
        let found = access(&enforcer, &caller(user, "p4", "member"));
        assert_eq!(found, expected, "{rule} {user}");
    };
    check(
        "user_id:%(created_by_user_id)s",
        "u1",
        ResourceAccess::Allowed,
    );
    check(
        "user_id:%(created_by_user_id)s",
        "u2",
        ResourceAccess::Denied,
    );
    check("user_id:%(creator)s", "u1", ResourceAccess::Hidden);
    check("not 'p2':%(project_id)s", "u1", ResourceAccess::Hidden);
    check("not 'p3':%(project_id)s", "u2", ResourceAccess::Allowed);
    check("'generic':%(type)s", "u2", ResourceAccess::Allowed);
    check("'yes':%(public)s", "u2", ResourceAccess::Denied);
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
    assert_eq!(enforcer.visible_metrics(&member, &answers), Ok(Some(all())));
    let asked = enforcer.access_to_resource(&member, &resource(), &answers);
    assert_eq!(asked.unwrap_err().rule, "get resource");
}
