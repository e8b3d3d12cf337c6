// Package schema has the entities, from which ent generates the package above. Their tables are users and posts.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// User is a row of a tenant's table users.
type User struct{ ent.Schema }

// Fields are the columns besides the id.
func (User) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("email").Unique(),
		field.String("name"),
		field.String("tenant").Optional().Annotations(entsql.DefaultExpr("current_schema()")),
	}
}

// Edges are the posts.
func (User) Edges() []ent.Edge { return []ent.Edge{edge.To("posts", Post.Type)} }

// Post is a row of a tenant's table posts.
type Post struct{ ent.Schema }

// Fields are the columns besides the id.
func (Post) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.Int64("user_id"),
		field.String("title"),
		field.String("tenant").Optional().Annotations(entsql.DefaultExpr("current_schema()")),
	}
}

// Edges are the author.
func (Post) Edges() []ent.Edge {
	return []ent.Edge{edge.From("user", User.Type).Ref("posts").Field("user_id").Unique().Required()}
}
