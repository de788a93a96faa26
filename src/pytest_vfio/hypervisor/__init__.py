"""All topics of one host together: the only room that holds the whole host.

A topic is what some of the evidence says: a class that is built from evidence, or from the topics
that it needs, never from the whole host. Each is a door of `Hypervisor` (`hypervisor.pins`), made
when first asked for. What several topics say of one subject is a function here that takes the
`Hypervisor` and the subject (`handover.of(hypervisor, device)`), and is no door. What one item of
evidence tells without more is a function of its room in facts/ that takes the evidence
(`openers.known(hypervisor.evidence, path)`).
"""
